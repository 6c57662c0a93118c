"""Questions with one right answer, for scoring. Each probe returns (turns so far, wanted reply, value that the reply must hold or None)."""
from words import CAN_A, FREE_R, SMALL, WHO_A

ACCENTED_KINDS = ["name", "town", "pet", "rel", "code"]
DO_NOT_KNOW = "I do not know"


def other_turn(g):
    x = g.r.random()
    return g.distract() if x < 0.7 else g.tell() if x < 0.88 else g.run_on()


def tell_first(g, accented=False, run_on=False):
    """Begins a conversation with a fact and returns the fact."""
    g.begin()
    accent = g.accent
    if accented:
        g.accent = 1.0
    while True:
        f = g.new_fact(g.pick(ACCENTED_KINDS) if accented else None)
        if not (accented and f["value"].isascii()):
            break
    g.accent = accent
    g.keep(f)
    if run_on:
        facts = [f]
        if g.r.random() < 0.5:
            facts.insert(g.r.randint(0, 1), g.fresh_fact())
            for x in facts:
                g.keep(x)
        g.say(*g.run_on(facts))
    else:
        text = g.tell_text(f)
        ack = g.pick(f["acks"]).replace("{v}", f["value"]) if "acks" in f else "Thank you, I will remember that."
        g.say(text, ack, "tell")
    return f


def ask(g, f):
    g.out.append(("user", g.ask_text(f), "recall"))
    return g.out, g.answer(f), f["value"]


def recall(turns, **how):
    """Asked `turns` turns after it was told."""
    def probe(g):
        f = tell_first(g, **how)
        for _ in range(turns - 1):
            g.say(*other_turn(g))
        return ask(g, f)
    return probe


def recall_after_tokens(tokens, measure, **how):
    """Asked when at least `tokens` tokens lie between the telling and the question."""
    def probe(g):
        f = tell_first(g, **how)
        told = measure(g.out)
        while measure(g.out) - told < tokens:
            g.say(*other_turn(g))
        return ask(g, f)
    return probe


def corrected(turns):
    """Told, corrected two turns later, asked `turns` turns after the correction."""
    def probe(g):
        while True:
            f = tell_first(g)
            g.say(*g.distract())
            q, a, tag = g.correct()
            if tag == "correct":
                break
        g.say(q, a, tag)
        for _ in range(turns - 1):
            g.say(*g.distract())
        return ask(g, g.facts[f["key"]])
    return probe


def unknown(turns):
    """A question for what was never told, after `turns` other turns, half of which told something else."""
    def probe(g):
        g.begin()
        for _ in range(turns):
            g.say(*(g.distract() if g.r.random() < 0.5 else g.tell() if g.r.random() < 0.7 else g.run_on()))
        f = None
        while f is None:
            f = g.fresh_fact()
        g.out.append(("user", g.ask_text(f), "unknown"))
        return g.out, g.unknown(f), DO_NOT_KNOW
    return probe


def run_on_reply(turns):
    """The reply to a run-on message itself, after `turns` other turns."""
    def probe(g):
        g.begin()
        for _ in range(turns):
            g.say(*other_turn(g))
        q, a, _ = g.run_on()
        g.out.append(("user", q, "run-on"))
        return g.out, a, None
    return probe


def task(name, turns=0, **options):
    def probe(g):
        g.begin()
        for _ in range(turns):
            g.say(*g.distract())
        q, a, tag = getattr(g, name)(**options)
        g.out.append(("user", q, tag))
        return g.out, a, None
    return probe


def accepted(want):
    """All replies that are as right as the wanted one: some questions have several fixed replies."""
    for group in [WHO_A, CAN_A, FREE_R] + [answers for _, answers in SMALL]:
        for a in group:
            if want.endswith(a):
                return {want[:len(want) - len(a)] + b for b in group}
    return {want}
