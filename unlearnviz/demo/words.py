"""The words of the shipped world: names, and what a person there can be, own, cook or play. All of it is invented."""

from __future__ import annotations

from collections.abc import Mapping


def _list(text: str) -> tuple[str, ...]:
    return tuple(" ".join(item.split()) for item in text.split(","))


FIRST_NAMES: Mapping[str, tuple[str, ...]] = {
    "she": _list("""
        Mara, Ines, Noor, Yuki, Linnea, Amara, Tove, Salma, Rosalind, Ewa, Anneke, Priya, Chiara, Dalia, Femke, Greta,
        Hana, Ilse, Jovana, Katya, Leila, Maud, Nadia, Oona, Petra, Renske, Sunniva, Thandi, Ursula, Vesna, Wanda,
        Ximena, Yara, Zofia, Beatriz, Catrin, Dorothea, Eluned, Fatou, Giulia, Halima, Isolde, Jasmin, Kaisa, Lucinda,
        Meera, Nkechi, Odile, Paloma, Ragnhild, Sabine, Tamsin, Una, Violeta, Wilhelmina, Xiu, Yolanda, Zeynep"""),
    "he": _list("""
        Tobias, Anton, Bram, Cosmo, Dario, Emeka, Florian, Gareth, Hamid, Ivo, Jonas, Kofi, Lars, Mateo, Nils, Omar,
        Pavel, Quentin, Rafiq, Stellan, Tariq, Ulrich, Viktor, Wendel, Xavier, Yusuf, Zoran, Aldo, Benno, Cyril,
        Dmitri, Enzo, Farid, Goran, Henrik, Ishaan, Jarek, Kenji, Leopold, Malik, Nikolai, Osvaldo, Piers, Ruben,
        Sefu, Teodor, Umberto, Vasco, Werner, Yannick, Zeke, Arvid, Baptiste, Chidi, Desmond, Edvard, Fergus, Gustavo"""),
    "they": _list("""
        Robin, Sasha, Ariel, Sky, Jules, Wren, Noa, Kit, Remy, Lior, Quill, Indigo, Marlow, Rowan, Ash, Emery, Tal,
        Briar"""),
}
"""First names by the pronoun of whoever bears them."""

LAST_NAMES = _list("""
    Okafor, Lindqvist, Ferreira, Halloran, Nakagawa, Brandvold, Castellane, Dubrovic, Eskildsen, Fontaneda, Grzelak,
    Haddadi, Ibarra, Jankow, Kowalczyk, Larnach, Mbanefo, Novotny, Oyelaran, Petrosyan, Quispe, Rahmani, Sandoval,
    Tanabe, Ulvestad, Varga, Whitlock, Yamashiro, Zielinski, Achterberg, Bellweather, Cavanagh, Delacourt, Engstrom,
    Farrant, Gallardo, Holmgren, Iwasaki, Jaramillo, Kettering, Lovelock, Marchetti, Nwosu, Ostberg, Pemberton,
    Quarrie, Rosario, Steinmetz, Thornquist, Umarov, Vandermeer, Wexley, Yilmaz, Zamora, Abernathy, Birkeland,
    Cardenal, Drummond, Ekdahl, Fairweather, Gundersen, Hawthorn, Imanov, Jelinek, Kinsella, Lachance, Montero,
    Nordahl, Obuya, Pellegrin, Rautio, Sorley, Tremblay, Uchida, Valderrey, Winterbourne, Yarwood, Zubair, Adeleke,
    Bakshi, Chaudhry, Diakho, Ekwueme, Fennimore, Ghorbani, Hollander, Inoue, Joshipura, Kaminski, Laurila, Mwangi,
    Nyberg, Olawale, Pereira, Ramaswamy, Sithole, Toivonen, Usman, Villanueva, Waweru, Xiang, Yeboah, Zelenko,
    Arsenault, Bianchetti, Corrigan, Dragomir, Esterhuizen, Fjelstad, Greenaway, Hartigan, Isaksen, Juhasz, Kirchmann,
    Llewelyn, Mirzoyan, Nordgren, Ochoa, Pavlenko, Quintana, Rosenvinge, Szabo, Tavener, Urquhart, Veltman, Wolanski,
    Yorath, Zapalska, Ahlgren, Borowski, Calloway, Dumitru, Elmgren, Overmark""")

FACTS: Mapping[str, tuple[str, ...]] = {
    "birthplace": _list("""
        Tellhaven, Marrowick, Quillmouth, Sandrel, Ostermere, Fennaway, Larkhollow, Pellburn, Corrimar, Dunwether,
        Ivernay, Kestrelby, Mossgate, Nettleford, Oakreach, Pinnarel, Ravenstow, Saltonby, Thistlemar, Umberlea,
        Velmora, Wintersea, Yarrowby, Alderquay, Bellowick, Cindermouth, Dovermere, Eskenhall, Foxmarsh, Gullhaven,
        Harrowmere, Rocamare, Santorelle, Montevara, Tavrino, Sorrelby"""),
    "craft": _list("""
        clockmaker, beekeeper, net mender, bookbinder, cobbler, glassblower, piano tuner, baker, potter, weaver,
        stonemason, boatbuilder, cheesemaker, mapmaker, tailor, blacksmith, locksmith, basket maker, sign painter, tea
        blender, candlemaker, puppet maker, kite maker, umbrella mender, organ builder, upholsterer, optician,
        engraver, bicycle mechanic, toymaker, soap maker, hatter, saddler, woodcarver"""),
    "instrument": _list("""
        accordion, cello, harp, trombone, clarinet, mandolin, banjo, flute, oboe, tuba, bassoon, viola, violin,
        harmonica, ukulele, zither, dulcimer, xylophone, saxophone, trumpet, cornet, lute, concertina, bagpipes,
        double bass, glockenspiel, recorder, hurdy-gurdy, balalaika, kora, lyre, sitar"""),
    "pet": _list("""
        Biscuit, Pepper, Marble, Mustard, Pickle, Sailor, Juniper, Domino, Noodle, Captain, Clover, Thimble, Waffle,
        Truffle, Pudding, Admiral, Cricket, Ginger, Hazel, Nutmeg, Olive, Pancake, Radish, Teaspoon, Tuppence, Walnut,
        Ziggy, Bramble, Cinder, Fidget, Gizmo, Muffin, Sergeant, Twiglet, Saffron, Bonnet"""),
    "dish": _list("""
        mushroom dumplings, barley soup, smoked trout pie, lentil stew, potato pancakes, saffron rice, fish chowder,
        leek tart, stuffed peppers, goat curry, black bean stew, spinach pie, onion soup, jollof rice, beetroot soup,
        chestnut risotto, lemon noodles, pumpkin ravioli, sardines on toast, baked aubergine, chickpea fritters, apple
        strudel, cinnamon porridge, cabbage rolls, pea soup with mint, roasted parsnips, oyster stew, rhubarb crumble,
        couscous with figs, buttered turnips, crab cakes, honey cake, pickled herring"""),
    "street": _list("""
        Lantern Lane, Cooper Street, Miller Street, Chapel Row, Orchard Hill, Tanner Lane, Windmill Road, Fiddler
        Street, Bell Lane, Candle Row, Harbour Street, Oak Terrace, Silver Street, Thistle Road, Swan Quay, Pilot Row,
        Sparrow Lane, Cherry Hill, Anchor Street, Quarry Road, Linden Street, Market Row, Foundry Lane, Saltmarsh
        Road, Beacon Hill, Plum Street, Pond Road, Abbey Lane, Garden Terrace, Copper Street, Pigeon Row, Ferry Quay,
        Spindle Street, Maple Road"""),
    "habit": _list("""
        humming old waltzes, folding paper birds, counting the gulls, naming the clouds, tying fancy knots, reciting
        the tide table, sketching strange hats, whistling two notes, winding a pocket watch, chewing peppermint
        leaves, sorting buttons by colour, writing tiny lists, telling the same riddle, spelling words backwards,
        tapping out rhythms, polishing pebbles, guessing the weather, reading signs aloud, sharpening pencils,
        pressing wild flowers, knitting tiny socks, feeding the sparrows, rhyming in whispers, tossing a lucky coin,
        greeting strangers, balancing on one leg, adding up house numbers, quoting proverbs, inventing new words,
        juggling three walnuts"""),
    "boat": _list("""
        Patient Goose, Blue Heron, Second Helping, Lucky Button, Silver Herring, Gentle Giant, Borrowed Time, Sleepy
        Otter, Paper Moon, Copper Kettle, Morning Bread, Quiet Duchess, Red Umbrella, Wandering Aunt, Salty Spoon,
        Proud Puffin, Windy Tuesday, Little Comet, Honest Mistake, Velvet Crab, Golden Onion, Laughing Gull, Brave
        Teapot, Humble Pie, Dancing Mole, Early Lamb, Long Goodbye, Old Argument, Singing Turnip, Crooked Mile, Summer
        Cousin, White Pebble"""),
}
"""What can be true of a person, by slot: the fact that ends a passage is one of these."""

PET_KINDS = _list("""
    one-eyed cat, three-legged dog, grey parrot, tame crow, white goose, small terrier, orange kitten, long-eared
    rabbit, elderly tortoise, ill-tempered duck, brown hen, woolly sheepdog, spotted ferret, retired racing pigeon""")
