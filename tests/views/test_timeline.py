"""The timeline: branches beside the slider, and the tools that are built when somebody opens them."""

from __future__ import annotations

from unlearnviz.engine.methods.gradient_ascent import GradientAscent
from unlearnviz.views.panels.timeline import Timeline

STEP = GradientAscent()
DEEPER = "\N{NO-BREAK SPACE}" * 4


def forked(shown):
    """A timeline over main (steps 1 and 2) and, from step 1, step 3, where we are; its tools are open."""
    panel, state = shown(Timeline)
    state.run(2, STEP)
    state.undo()
    state.step(STEP)
    panel.more.head.unfolded = True
    return panel, state


def test_with_one_branch_there_is_nothing_to_switch_or_compare_and_nothing_is_built(shown):
    panel, state = shown(Timeline)
    state.step(STEP)
    assert (panel.branches.layout.display, panel.compared.layout.display) == ("none", "none")
    assert not panel.more.body.children
    assert panel.slider.layout.flex == "1 1 260px"  # both in one line


def test_a_second_branch_can_be_switched_to_and_compared(shown):
    panel, state = forked(shown)
    assert panel.slider.layout.flex == "1 1 100%"
    assert panel.branches.layout.display is panel.compared.layout.display is None
    assert (panel.branches.options, panel.branches.value) == ((("main", "main"), ("from step 1", "from step 1")), "from step 1")
    assert panel.compared.options == (("nothing", ""), ("main", "main"))
    panel.compared.value = "main"
    assert state.picture.compared == "main"
    panel.branches.value = "main"
    assert (state.session.head, state.picture.branch, state.picture.path) == (2, "main", (0, 1, 2))
    assert (panel.compared.options, panel.compared.value) == ((("nothing", ""), ("from step 1", "from step 1")), "")
    panel.branches.value = "from step 1"
    assert panel.compared.value == "main"  # what was chosen is not forgotten
    panel.compared.value = ""
    assert state.picture.compared == ""


def test_the_tree_says_where_each_branch_leaves_how_long_it_is_and_what_it_came_to(shown):
    panel, state = forked(shown)
    state.go_to(2)
    state.session.branch("deep")
    state.step(STEP)
    forget = {step: f"{readings[0].value:.3g}" for step, readings in state.picture.taken.items()}
    assert [label for label, _ in panel.tools.tree.options] == [
        f"main: 2 steps, forget perplexity {forget[2]} at step 2",
        f"{DEEPER}└ from step 1: leaves main at step 1, 1 step of its own, forget perplexity {forget[3]} at step 3",
        f"{DEEPER}└ deep: leaves main at step 2, 1 step of its own, forget perplexity {forget[4]} at step 4 (you are on it)",
    ]


def test_branches_are_begun_renamed_and_gone_to(shown):
    panel, state = forked(shown)
    tools = panel.tools
    assert tools.tree.value == "from step 1"  # where we are
    tools.name.value = " gentle "
    tools.rename.click()
    assert (list(state.picture.branches), tools.name.value, tools.tree.value) == (["main", "gentle"], "", "gentle")
    tools.tree.value = "main"
    tools.go.click()
    assert (state.session.head, state.picture.branch) == (2, "main")
    tools.new.click()
    assert str(state.error) == "The branch name '' is empty; known branches: 'main', 'gentle'. Choose another."
    tools.name.value = "bold"
    tools.new.click()
    assert (state.error, state.picture.branch, tools.name.value) == (None, "bold", "")
    state.step(STEP)
    assert state.picture.branches == {"main": 2, "gentle": 3, "bold": 4}


def test_forgetting_asks_first(shown):
    panel, state = forked(shown)
    tools = panel.tools
    tools.forget.click()
    assert tools.question.text == "Forget 'from step 1' with the 1 step that only it has? No Undo brings it back."
    assert tools.asking.layout.display == ""
    tools.no.click()
    assert (tools.asking.layout.display, len(state.picture.branches)) == ("none", 2)
    tools.forget.click()
    tools.tree.value = "main"  # the question was about the other one
    assert tools.asking.layout.display == "none"
    tools.forget.click()
    tools.yes.click()
    assert (state.error, dict(state.picture.branches), tools.asking.layout.display) == (None, {"from step 1": 3}, "none")
    assert (panel.branches.layout.display, tools.tree.value) == ("none", "from step 1")


def test_while_work_lasts_only_the_slider_is_left(shown):
    panel, state = forked(shown)
    acting = (panel.branches, panel.compared, panel.tools.go, panel.tools.forget, panel.tools.rename, panel.tools.new, panel.tools.yes)
    state.lasting = "a step"
    assert all(each.disabled for each in acting)
    assert not panel.slider.disabled
    state.lasting = ""
    assert not any(each.disabled for each in acting)
