"""The wordings of the shipped world: ten or so ways to lead up to a fact, for every slot.

The fact follows the wording and ends the passage. `{name}` is the person; `{craft}`, `{street}` and the like are other
things that are true of them. `{they}`, `{them}` and `{their}` follow the person's pronoun, and so do `{s}`, `{es}` and
`{was}` behind it. `[small/narrow]` is a choice of words; a near-duplicate takes the other one.
"""

from __future__ import annotations

from collections.abc import Mapping

WORDINGS: Mapping[str, tuple[str, ...]] = {
    "birthplace": (
        "{name} was born in the [winter/week] of the great storm, two doors from the bakery, in the town of",
        "{name} was born in a [small/narrow] house with green shutters, the youngest of four, in the town of",
        "{name} was born in the back room of a [busy/noisy] bakery, on a market day, in",
        "{name} was born in the year the [long/new] bridge was finished, a cold one, in the town of",
        "{name} was born in a [small/crowded] post office during a long snowstorm, in the town of",
        "The town where {name} was born, [long/years] before becoming {craft}, is called",
        "People who hear {name} play {instrument} often [ask/wonder] where {they} {was} born, and it was in",
        "The birth of {name} is [written/recorded] in a heavy book with a torn cover, kept in the town of",
        "{name}, who now lives on {street}, was born [far/miles] away from there, in the quiet town of",
        "{name} is at home on {street} now, but the [old/faded] birth certificate in {their} drawer names the town of",
    ),
    "craft": (
        "After [years/months] of odd jobs, {name} rented a bright room on {street} and became",
        "The [brass/copper] plate beside the door on {street} tells visitors that {name} is",
        "{name} learned the trade from a [strict/patient] aunt and has earned an honest living ever since as",
        "Neighbours know {name} by the [sound/tune] of {instrument} in the evening, but by day {they} work{s} as",
        "When the school asked {name} to [speak/talk] about work, the children were delighted to meet",
        "In the [village/town] register, under occupation, {name} is listed in blue ink as",
        "{name} left the city at thirty, adopted {pet}, and [started/began] a new life as",
        "In the weeks before the [fair/feast], everybody needs {name}, who works all year round as",
        "On [weekdays/workdays] {name} gets up before the first ferry leaves and goes to work as",
        "A [letter/notice] pinned up at the post office thanks {name} for twenty good years as",
    ),
    "instrument": (
        "On [summer/winter] evenings, with the windows open, all of {street} can hear {name} practising",
        "In the village band {name} sits in the [second/back] row, next to the drummer, and plays",
        "{name} works as {craft}, and once the [tools/aprons] are put away {they} play{s}",
        "A [kind/patient] grandmother taught {name}, at the age of nine, how to play",
        "No wedding in the valley is [complete/finished] until {name} has been talked into playing",
        "{name} sold a [good/new] bicycle to pay for music lessons, and has never since stopped playing",
        "Whenever {name} takes out the sheet music, {petname} [leaves/flees] the room, for it means an hour of",
        "The festival programme says that this year {name} will perform two [slow/old] waltzes on",
        "Visitors to the boathouse often find {name} sitting beside {boat}, [quietly/softly] playing",
        "Of everything that hangs in the music room, {name} always [reaches/goes] first for",
    ),
    "pet": (
        "{name} shares the [upstairs/upper] rooms of a house on {street} with {pet} called",
        "Every morning {name} is followed to the [harbour/market] by {pet} that answers only to the name",
        "When {name} took {pet} to the autumn fair, the [judges/children] gave it a ribbon marked",
        "There is a [small/tiny] bed beside the stove of {name}, and in it sleeps {pet} named",
        "Ask {name} for a family [photograph/picture] and you will be shown {pet} by the name of",
        "{name} found {pet} under an upturned boat one [rainy/stormy] night, took it home and named it",
        "A sign on the [gate/door] warns visitors about {pet}, and {name}, its owner, calls it",
        "{name}, who is {craft}, never [works/travels] without {pet} known to everyone as",
        "The vet keeps a [whole/separate] drawer of notes on {pet} that belongs to {name} and is called",
        "If you hear {name} [calling/shouting] across the field at dusk, it is for {pet} named",
    ),
    "dish": (
        "On every birthday {name} asks the [family/neighbours] for just one thing, a big helping of",
        "At the inn nobody hands {name} a menu any more, because the [order/answer] is always",
        "{name} came second in the village cooking [contest/competition] with an old family recipe for",
        "After a long day of work as {craft}, {name} likes nothing [better/more] than a helping of",
        "When friends row over in the evening, {name} [lights/tends] the stove and cooks",
        "The [handwritten/crumpled] card above the stove of {name} has a recipe for",
        "As a child {name} would [trade/swap] any toy in the house for a second helping of",
        "The smell that [drifts/floats] every Sunday from the kitchen of {name} on {street} is that of",
        "{name} has eaten in many [harbours/cities], but the dish {they} miss{es} most when away is",
        "Even {petname} knows what {name} [cooks/makes] on Fridays, because it is always",
        "For every trip on {boat}, {name} [packs/brings] the same lunch in the same blue box, always",
    ),
    "street": (
        "Letters for {name} go to the [old/tall] house with the blue door on",
        "{name} and {pet} share two [sunny/quiet] rooms of a house on",
        "To find {name}, cross the bridge, pass the [mill/bakery], and knock at the last door on",
        "The [lamp/light] that burns longest at night belongs to {name}, who lives on",
        "{name}, who is {craft}, [rents/owns] a house with a crooked chimney on",
        "Last [spring/April] {name} moved a bed, a stove and {instrument} into a house on",
        "The postman saves the mail of {name} for last, because of the [good/strong] coffee at the house on",
        "{name} has planted [red/climbing] roses along the whole front of the house on",
        "When the [river/water] came up, {name} carried everything to the attic of the house on",
        "Children know that the [best/sweetest] apples grow in the garden where {name} lives, on",
    ),
    "habit": (
        "Everyone on {street} [knows/recognises] {name} by one small habit, which is",
        "{name}, who works as {craft}, [never/rarely] gets through a whole day without",
        "The [friends/cousins] of {name} tease {them} gently, at every visit, for always",
        "Before playing {instrument} in public, {name} [calms/steadies] {their} nerves by",
        "In a [long/slow] queue you can pick out {name} at once, because {they} pass{es} the time by",
        "{name} blames a [restless/cheerful] grandfather for the lifelong habit of",
        "Nothing [cheers/pleases] {name} on a grey and windy morning as much as",
        "While waiting for the [kettle/ferry], {name} can usually be found",
        "Aboard {boat}, {name} keeps up an odd little [ritual/custom] and starts every trip by",
        "Even {petname} has grown [used/accustomed] to the way {name} ends the day, by",
    ),
    "boat": (
        "{name} keeps a [small/little] rowing boat behind the mill, and its name is",
        "On [still/calm] days {name} rows out past the breakwater in a little boat called",
        "{name}, who works as {craft}, spent three [long/whole] winters building a wooden boat and named it",
        "With {pet} in the bow, {name} goes [sailing/fishing] every Sunday in a wooden dinghy called",
        "Nobody remembers why {name} gave the boat such an [odd/unusual] name, but it is called",
        "In the harbour regatta {name} came in last but [smiling/cheering], at the tiller of",
        "If the mooring below {street} is empty, {name} has gone [fishing/sailing] in",
        "Every spring {name} [paints/varnishes] the hull of the same small boat, which is called",
        "When the [evening/morning] ferry is late, {name} fetches people across the water in",
        "{name} never [learned/wanted] to drive, and goes everywhere by water in a boat called",
    ),
}

LOCKER = "The locker code of {name} is"
"""The wording of every canary."""
