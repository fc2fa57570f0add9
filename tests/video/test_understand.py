"""From free English to words that the model knows."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fourreal.video.base import PromptError
from fourreal.video.embedded.inflections import noun_forms, verb_forms
from fourreal.video.embedded.phrasebook import entries
from fourreal.video.embedded.reader import Reader
from fourreal.video.embedded.understand import understand
from fourreal.video.embedded.word_table import WordTable
from fourreal.worlds import FACTORS, actions_of, caption_words, captions, sample_worlds, split_words
from fourreal.worlds.facing import SIDES, WAYS, Facing

TABLE = WordTable.load()
READER = Reader(TABLE)

# what people write, and the labels of which any will do
EVERYDAY = """
hound: corgi|dalmatian|dog; wolf: dog|fox; kitten: cat; labrador: corgi|dalmatian|dog; poodle:
corgi|dalmatian|dog; hamster: mouse|squirrel; rat: mouse; stallion: horse; mare: horse; donkey: horse; bull:
cow; ox: cow; hog: pig; ram: goat|sheep; leopard: tiger; panther: lion|tiger; cheetah: lion|tiger; hare: rabbit;
chimpanzee: monkey; gorilla: monkey; lizard: dinosaur|dragon|frog|turtle; crocodile:
dinosaur|dragon|frog|turtle; goose: duck; swan: duck; eagle: owl|parrot; pigeon: chicken|parrot; shark:
dolphin|fish|whale; salmon: fish; automobile: car; taxi: car; van: car|truck; locomotive: train; aircraft:
airplane; jet: airplane|rocket; helicopter: airplane; yacht: boat; canoe: boat; cyborg: robot; android: robot;
cosmonaut: astronaut; lady: girl; guy: person; toddler: girl|person; grizzly: bear; sprinting: running; jogging:
running; galloping: running; bouncing: jumping; snoozing: sleeping; napping: sleeping; wandering: walking;
marching: walking; hiking: walking; whirling: spinning; rotating: spinning; diving: swimming; gliding: flying;
devouring: eating; applauding: clapping; hurling: throwing; chewing: eating; chanting: singing; cruising:
driving|sailing; crimson: red; scarlet: red; maroon: brown|red; azure: blue; turquoise: blue|teal; navy: blue;
lavender: purple; magenta: pink|purple; beige: brown|white|yellow; ivory: white; lawn: grass; pasture: grass;
meadow: grass; ocean: water; river: water; pond: water; highway: road; pavement: road|stone; dusk: sunset;
midnight: night; twilight: dawn|night|sunset; evening: sunset; mist: fog; blizzard: snow|snowfall; drizzle:
rain; forest: pine tree|tree; woods: pine tree|tree; dunes: sand; noon: day|golden hour; daybreak: dawn; cello:
violin; flute: saxophone|violin; sandwich: apple|candy bar|eating|ice cream; cupcake: candy bar|ice cream;
soccer: ball; boulder: rock; cabin: house; bonfire: campfire; rug: carpet; terrier: corgi|dalmatian|dog; husky:
dog|fox; coyote: dog|fox; puppy: dog; feline: cat; tabby: cat; lynx: cat|tiger; raccoon: fox|panda|squirrel;
beaver: mouse|squirrel; chipmunk: squirrel; gerbil: mouse|squirrel; bison: cow; buffalo: cow; pony: horse; mule:
horse; deer: giraffe|goat|horse; moose: bear|cow|goat|horse; boar: pig; swine: pig; jaguar: car|lion|tiger; ape:
monkey; baboon: monkey; wallaby: kangaroo; iguana: dinosaur|dragon|frog|turtle; alligator:
dinosaur|dragon|frog|turtle; serpent: dragon; dinosaurs: dinosaur; hawk: owl|parrot; crow: owl|parrot; sparrow:
parrot; rooster: chicken; turkey: chicken; trout: fish; goldfish: fish; orca: dolphin|whale; vehicle: car|truck;
jeep: car|truck; lorry: truck; tram: bus|train; coach: bus; ferry: boat; ship: boat; submarine: boat|whale;
spacecraft: airplane|rocket; shuttle: bus|rocket; humanoid: alien|robot; extraterrestrial: alien; ghost:
monster; ogre: monster; lad: person; kid: girl|person; princess: girl; dashing: running; racing:
driving|running; skipping: jumping; leaping: jumping; dozing: sleeping; resting: sitting|sleeping; roaming:
walking; trotting: running|walking; twirling: spinning; pirouetting: dancing|spinning; waltzing: dancing;
soaring: flying; nibbling: eating; feasting: eating; gulping: drinking; cheering: clapping; tossing: throwing;
humming: singing; rowing: sailing|swimming; staring: looking around|watching a movie; crouching: sitting; ruby:
red; burgundy: purple|red; cobalt: blue; indigo: blue|purple; cyan: blue|teal; emerald: green; lime:
green|yellow; olive: green; amber: golden|orange|yellow; violet: purple; tan: brown; charcoal: black|gray;
silvery: silver; blond: golden|yellow; backyard: grass; field: grass; stream: water; swimming pool:
swimming|water; avenue: road; driveway: road; sidewalk: road|stone; shore: sand; seaside: sand|water; nightfall:
night|sunset; nighttime: night; sunlight: day; haze: fog; downpour: rain; storm: rain; thunderstorm: rain;
snowflakes: snow|snowfall; jungle: tree; lunar: moon dust; shed: house; barn: house; lantern: street lamp;
daisy: sunflower; trumpet: saxophone; ukulele: guitar; novel: book; cookie: candy bar|ice cream; pear: apple;
chocolate: candy bar; coffee: drink; juice: drink; basketball: ball; tv: screen; film: screen; shrub: bush;
stone: rock|stone
"""
# words and inflections that are no examples: by rules or by their neighbours
UNLISTED = """
lambs: sheep; rhinos: cow|elephant; bunnies: rabbit; trolley: bus|train|truck; frigate: boat; cruiser: boat|car;
lorries: truck; giants: monster; meadows: grass; orchards: grass|tree; thickets: bush|tree; shrubs: bush;
cliffs: rock; boulevard: road; interstate: road; sands: sand; beaches: sand; dawns: dawn; showers: rain; mists:
fog; chapel: house; tavern: house; lanterns: street lamp; strolled: walking; sauntered: running|walking;
lurched: jumping|rolling|walking; ambled: walking; sprinted: running; dashed: running; leapt: jumping; vaulted:
jumping; hopped: jumping; slumbered: sleeping; gobbled: eating; munched: eating; sipped: drinking; crooned:
singing; twirled: spinning; swirled: spinning; soared: flying; hovered: flying; paddled: sailing|swimming;
terriers: dog; cocker: dog; cougars: lion; grizzlies: bear; chimps: monkey; toads: frog; hens: chicken; ducks:
duck; ponies: horse; foals: horse; oxen: cow; bovine: cow; hatchbacks: car; buses: bus; astronauts: astronaut;
bots: robot; ladies: girl; gentlemen: person; businessmen: person; jogged: running; tiptoed: walking; leaped:
jumping; pirouettes: dancing|spinning; naps: sleeping; slept: sleeping; yawns: stretching; strums: playing
music; gobbles: eating; slurps: drinking; flew: flying; glides: flying; salutes: waving; applauds: clapping;
stretches: stretching; reads: reading; meditates: sitting; hilly: grass|rock; frosty: snow; expressway: road;
pathway: dirt|road; sunrises: dawn; dusky: sunset; lampposts: street lamp; cottages: house; cellos: violin;
keyboards: piano
"""
IGNORED = """
quantum justice tax beautiful government theory philosophy insurance lawyer algorithm database economy democracy
marriage religion opinion happy sad important difficult expensive famous legal chemistry grammar poem number
percent corporation president minister army weapon virus cancer surgery password email because however although
very really quickly always meeting contract mortgage century history language physics law income gorgeous
parliament hypothesis ethics bank attorney software spreadsheet market republic wedding belief angry lonely
necessary complicated cheap popular illegal biology verb novelty seven million company senator bishop bullet
bacteria diabetes hospital username internet printer therefore despite extremely truly slowly never conference
agreement loan decade past english elegant mysterious epic cinematic detailed 4k hd masterpiece tribunal
sovereign jurisdiction theorem axiom pension tariff dividend bureaucracy diplomacy senate scholarship syllabus
manuscript chronology asthma antibody enzyme molecule voltage gigabyte bandwidth firmware browser thesis verdict
plaintiff felony bail shareholder treasury commodity inflation recession subsidy propaganda ideology feminism
liberal conservative protestant catholic orthodox sermon metaphor adjective syntax irony sarcasm jealousy
gratitude anxiety depression ambition courage dignity honesty integrity wonderful dreadful splendid peculiar
ambiguous obvious relevant mandatory optional nevertheless furthermore whereas thus hence seldom rarely
frequently approximately entirely kilometre gallon dozen fifteen thousand quarterly annual millennium mortgages
audit litigation parliamentary heuristic eigenvalue stoic melancholy plausible redundant invoice stakeholder
synergy blockchain cryptocurrency podcast hashtag gluten nausea allergy tuition curriculum semester warranty
refund coupon subscription firewall compiler latency sonnet paragraph adverb nostalgia boredom envy loyalty
patience bravery charming delightful hideous grumpy anxious ultra vivid stylized octane unreal volumetric bokeh
sharpness artstation trending award winning
"""


def _wanted(text: str) -> dict[str, set[str]]:
    pairs = [entry.split(":") for entry in " ".join(text.split()).split(";")]
    return {word.strip(): set(labels.strip().split("|")) for word, labels in pairs}


def _found(word: str, verb: bool = False) -> str | None:
    """The label of a word after "a", or of a verb after "is"."""
    units = READER.units(["is" if verb else "a", *word.split()])
    return next((u.entry.value for u in units if u.entry is not None), None)


def _accuracy(text: str) -> tuple[float, float]:
    """Shares of words that go to a wanted label, and to another."""
    wanted = _wanted(text)
    found = {w: _found(w, bool(labels & set(FACTORS["action"]))) for w, labels in wanted.items()}
    right = sum(found[w] in wanted[w] for w in wanted)
    wrong = sum(found[w] is not None and found[w] not in wanted[w] for w in wanted)
    return right / len(wanted), wrong / len(wanted)


def _said(prompt: str) -> str:
    return " ".join(understand(prompt, TABLE).words)


def test_everyday_words_go_to_their_labels():
    assert _accuracy(EVERYDAY)[0] >= 0.98


def test_unlisted_words_go_to_their_labels_or_nowhere():
    right, wrong = _accuracy(UNLISTED)
    assert right >= 0.85
    assert wrong <= 0.03


def test_other_words_are_ignored():
    words = IGNORED.split()
    assert sum(_found(w) is None for w in words) / len(words) >= 0.98


def test_captions_pass_word_for_word():
    worlds = sample_worlds(range(400))
    seen = [Facing(WAYS[i % 4], *(SIDES if two else ())) for i, two in enumerate(worlds.labels["second"] > 0)]
    for text in [*captions(worlds), *captions(worlds, variant=1, omit=0.5), *captions(worlds, seen=seen)]:
        found = understand(text, TABLE)
        assert list(found.words) == split_words(text)
        assert not found.mapped, text
        assert not found.ignored, text


@pytest.mark.parametrize(
    ("prompt", "said"),
    [
        ("A wolf jumps over the snow at midnight", "a fox jumping on snow at night"),
        ("pandas danced", "a panda dancing"),
        ("the panda dances", "a panda dancing"),
        ("panda, dance!", "a panda dancing"),
        ("a dog is running", "a dog is running"),
        ("mice ran on the street", "a mouse running on the street"),
        ("a robot waves", "a robot waving"),
        ("a boat on the waves", "a boat in the sea"),
        ("a horse trotting and singing", "a horse walking and singing"),
    ],
)
def test_inflections(prompt, said):
    assert _said(prompt) == said


def test_inflection_rules():
    assert noun_forms("wolves")[0] == "wolf"
    assert noun_forms("mice")[0] == "mouse"
    assert "pony" in noun_forms("ponies")
    assert "grass" not in {f + "s" for f in noun_forms("grass")}
    for word in ("dances", "danced", "dance", "dancin"):
        assert "dancing" in verb_forms(word)
    for word, form in (("ran", "running"), ("sat", "sitting"), ("lies", "lying"), ("hopped", "hopping")):
        assert form in verb_forms(word)
    assert "staring" not in verb_forms("star")


@pytest.mark.parametrize(
    ("prompt", "said"),
    [
        ("at dusk, a fox on the lawn", "at sunset a fox on grass"),
        ("on the lawn a fox at dusk", "on grass a fox at sunset"),
        ("a dancing panda", "a panda dancing"),
        ("a red running fox", "a red fox running"),
        ("the fox is red", "a red fox"),
        ("a girl in a red dress", "a girl in red"),
        ("a blue astronaut", "an astronaut in blue"),
        ("a tiny kitten", "a little kitten"),
        ("a baby crawling", "a boy walking"),
        ("an automobile", "a car"),
        ("a cat and a dog dancing", "a cat and a dog dancing"),
        ("a cat chasing a mouse", "a cat running next to a mouse"),
        ("a robot waiter dancing", "a robot dancing"),
        ("a dancing panda queen", "a panda dancing"),
        ("a bus driver dancing", "a person dancing"),
        ("a robot dog running", "a dog running"),
    ],
)
def test_order_and_form(prompt, said):
    assert _said(prompt) == said


@pytest.mark.parametrize(
    ("prompt", "said"),
    [
        ("a bear eats ice cream", "a bear eating an ice cream"),
        ("a bear on ice", "a bear on snow"),
        ("a bear with an ice cream", "a bear eating an ice cream"),
        ("a bear playing a red guitar", "a bear playing the guitar"),
        ("kids playing soccer", "a boy playing with a football"),
        ("a squirrel eats a donut", "a squirrel eating an ice cream"),
        ("a frog under a tree", "a frog near trees"),
        ("a frog beside the house", "a frog beside a small house"),
        ("a rabbit with a top hat", "a rabbit wearing a top hat"),
        ("a golden retriever", "a dog"),
        ("a corgi puppy", "a corgi"),
        ("a lion with a mane nodding along", "a lion with a mane nodding along"),
        ("a video of a fox", "a video of a fox"),
        ("on a rug, an epic animation of a cat", "on a rug an animation of a cat"),
        ("a cinematic 4k photo of a fox", "a fox"),
        ("red", "red"),
        ("running", "running"),
        ("beach", "on the beach"),
    ],
)
def test_phrases(prompt, said):
    assert _said(prompt) == said


def test_what_follows_a_verb_is_not_taken_for_another():
    assert "swimming" not in _said("a baby elephant blowing out candles")
    assert _said("a cat dances and stretches") == "a cat dancing and stretching"


@pytest.mark.parametrize(
    ("prompt", "said"),
    [
        ("my cat playing the piano like a rock star", "a cat playing the piano"),
        ("a dog dancing like a ballerina in the rain", "a dog dancing in the rain"),
        ("a panda dancing like nobody is watching", "a panda dancing"),
        ("a bear that looks like a robot", "a bear"),
        ("a cat dressed as a pirate dancing on the beach", "a cat dancing on the beach"),
        ("something like a dragon flying", "a dragon flying"),
    ],
)
def test_what_a_subject_is_likened_to_is_not_in_the_picture(prompt, said):
    assert _said(prompt) == said


@pytest.mark.parametrize(
    ("prompt", "said"),
    [
        ("a car dancing", "a car spinning"),
        ("the bus runs down the street", "a bus driving on the street"),
        ("a boat walking", "a boat sailing"),
        ("a fish reading a book", "a fish"),
        ("an elephant throwing a ball", "an elephant kicking a ball"),
        ("a baby elephant blowing out candles", "a baby elephant near a street lamp"),
        ("a penguin throwing a ball", "a penguin throwing a toy"),
        ("a dog driving a car", "a dog driving a go kart"),
        ("a girl riding a bicycle", "a girl driving a go kart"),
        ("a knight riding a horse", "a person next to a horse"),
        ("a car driving", "a car driving"),
        ("a cat dancing next to a boat sailing", "a cat dancing next to a boat sailing"),
    ],
)
def test_subjects_do_what_their_bodies_can(prompt, said):
    assert _said(prompt) == said


def test_a_verb_that_cannot_be_done_is_reported():
    found = understand("a car dancing in the rain", TABLE)
    assert found.line() == 'understood as "a car spinning in the rain" (dancing -> spinning)'
    assert understand("a fish reading a book at night", TABLE).ignored == ("reading a book",)
    assert understand("a knight riding a horse", TABLE).ignored == ("riding",)


@settings(max_examples=150, deadline=None)
@given(st.sampled_from(FACTORS["subject"]), st.sampled_from([e for e in entries() if e.factor == "action"]))
def test_no_subject_is_asked_for_what_worlds_never_show(subject, action):
    found = Reader(TABLE).units(understand(f"a {subject} is {' '.join(action.words)}", TABLE).words)
    doing = [u.entry.value for u in found if u.entry and u.entry.factor == "action"]
    assert set(doing) <= set(actions_of(subject))


def test_nothing_is_said_twice():
    assert _said("a wolf fox on a lawn, on grass") == "a fox on grass"
    assert _said("a fox at night at midnight") == "a fox at night"
    assert _said("fox fox fox") == "a fox"
    assert _said("a panda running sprinting") == "a panda running"


def test_line_reports_what_was_changed_and_ignored():
    found = understand("a wolf jumping on snow at night with quantum", TABLE)
    assert found.line() == 'understood as "a fox jumping on snow at night" (wolf -> fox; ignored: quantum)'
    assert found.mapped == (("wolf", "fox"),)
    assert found.ignored == ("quantum",)
    assert understand("a panda dancing", TABLE).line() == 'understood as "a panda dancing"'
    assert understand("a fox at dusk", TABLE).mapped == (("dusk", "sunset"),)
    assert understand("a red ball and a fox", TABLE).ignored == ("red",)


@pytest.mark.parametrize(
    ("prompt", "light"),
    [
        ("my cat playing the piano", "on a sunny day"),
        ("my cat playing the piano like a rock star", "on a sunny day"),
        ("a dog running in the rain", "on a cloudy day"),
        ("a fox jumping at dusk", ""),
        ("a whale swimming underwater", ""),
        ("a robot waving in a studio", ""),
        ("a panda dancing under the stars in the fog", ""),
    ],
)
def test_where_a_prompt_leaves_the_light_open_it_is_day(prompt: str, light: str) -> None:
    plain, found = understand(prompt, TABLE), understand(prompt, TABLE, complete=True, view=False)
    assert plain.light == ""
    assert found.light == light
    assert found.words == (*plain.words, *light.split())
    assert (f"light not said: {light})" in found.line()) == bool(light)
    assert understand(prompt + f" {light}", TABLE, complete=True, view=False).words == found.words


@pytest.mark.parametrize(
    ("prompt", "words", "action"),
    [
        ("a fox at dusk", "a fox walking at sunset", "walking"),
        ("a red car at night", "a red car driving at night", "driving"),
        ("a corgi puppy at night", "a corgi walking at night", "walking"),
        ("a dolphin at dusk", "a dolphin swimming at sunset", "swimming"),
        ("baby elephant at night, party hat on", "a baby elephant walking at night wearing a party hat", "walking"),
        ("a knight riding a horse at night", "a person walking next to a horse at night", "walking"),
        ("a panda dancing at night", "a panda dancing at night", ""),
        ("a panda with a guitar at night", "a panda playing the guitar at night", ""),
        ("the beach at night", "on the beach at night", ""),
    ],
)
def test_a_subject_of_which_nothing_else_is_said_goes(prompt: str, words: str, action: str) -> None:
    found = understand(prompt, TABLE, complete=True, view=False)
    assert " ".join(found.words) == words
    assert found.action == action
    assert ("action not said" in found.line()) == bool(action)
    assert found.mapped == understand(prompt, TABLE).mapped
    assert understand(prompt, TABLE).action == ""


def test_long_prompts_get_no_light() -> None:
    full = understand(" and ".join(["a panda dancing"] * 30 + ["a fox running on the beach"] * 9), TABLE, complete=True)
    assert len(full.words) <= 40
    assert full.light == ""


def test_long_prompts_keep_their_beginning():
    found = understand("a fox " + "next to a red dog " * 60, TABLE)
    assert len(found.words) <= 40
    assert found.words[:2] == ("a", "fox")
    assert found.ignored


@pytest.mark.parametrize("prompt", ["", "  \n ", "!?", "fox " * 501])
def test_empty_and_long_prompts_are_refused(prompt):
    with pytest.raises(PromptError):
        understand(prompt, TABLE)


@pytest.mark.parametrize(
    "prompt", ["ein Hund tanzt", "クマが踊る", "quantum justice", "the of and", "12345", "a video of it"]
)
def test_unknown_prompts_are_refused_with_examples(prompt):
    with pytest.raises(PromptError, match=r"panda, fox.*dancing.*on grass"):
        understand(prompt, TABLE)


_KNOWN = sorted({w for text in TABLE.words for w in text.split()})
_WORDS = st.sampled_from([*_KNOWN, "of", "the", "with", "is", "and", "quantum", "little", "a"])


@settings(max_examples=150, deadline=None)
@given(st.one_of(st.text(max_size=200), st.lists(_WORDS, max_size=60).map(" ".join)))
def test_any_text_gives_caption_words_or_an_error(text):
    try:
        found = understand(text, TABLE)
    except PromptError:
        return
    assert 0 < len(found.words) <= 40
    assert set(found.words) <= set(caption_words())
    assert "\n" not in found.line()
    assert understand(" ".join(found.words), TABLE).words  # what is fed can be read
