"""Write the bundled sample: support messages to Larkfield, an invented maker of gadgets and apps.

    python data/sample/make_sample.py [--output DIR]

writes DIR/train/messages.csv (for the train and eval splits) and DIR/test/messages.csv, the same
bytes on every machine. The sample is small enough to train on in minutes, and has what makes real
multi-label text hard: rare labels, labels that occur together, messages without any, topics named
only to be ruled out ("this is not about my invoice"), typos, emoji, Chinese, and e-mails longer
than 128 word pieces.

The wording comes from two banks that share no phrase, phrases/train.txt and phrases/test.txt. A
model that merely remembers the training wording therefore scores badly on the test split, and one
that understands the sentences scores well.
"""

from __future__ import annotations

import argparse
import csv
import io
import random
import re
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).resolve().parent
SEED = 20250117
FIELDS = ("id", "text", "labels", "channel", "language")

# What each label means, as an annotator would be instructed.
LABELS = {
    "account_access": "cannot sign in, or wants sign-in details changed",
    "app_bug": "software misbehaves",
    "billing": "charges, invoices, prices and means of payment",
    "cancellation": "wants an order or a subscription to end",
    "damaged_item": "an article is broken or defective",
    "data_privacy": "what is stored, seen or shared of a person's data",
    "feature_request": "wishes for something the product does not do yet",
    "product_question": "how an article works, what it fits, whether to buy it",
    "refund": "wants to return something, wants or awaits money back",
    "safety_hazard": "heat, smoke, shock, injury: must reach a person today",
    "service_complaint": "unhappy with how support treated them",
    "shipping": "where a parcel is, when and how it is delivered",
}

# Rows in 600 with exactly these labels. Every count is a multiple of three, so that 2,000 rows have
# the same shares. shipping (183 in 600) is 30.5 times as common as safety_hazard (6 in 600).
COMBINATIONS = {
    "": 36,
    "account_access": 27,
    "app_bug": 30,
    "billing": 39,
    "cancellation": 18,
    "damaged_item": 18,
    "data_privacy": 6,
    "feature_request": 18,
    "product_question": 27,
    "refund": 18,
    "safety_hazard": 3,
    "service_complaint": 9,
    "shipping": 72,
    "account_access|app_bug": 9,
    "account_access|billing": 6,
    "account_access|data_privacy": 9,
    "account_access|shipping": 3,
    "app_bug|billing": 6,
    "app_bug|feature_request": 12,
    "billing|cancellation": 27,
    "billing|product_question": 3,
    "billing|refund": 21,
    "billing|service_complaint": 3,
    "billing|shipping": 12,
    "cancellation|data_privacy": 3,
    "cancellation|refund": 6,
    "cancellation|shipping": 9,
    "damaged_item|refund": 48,
    "damaged_item|safety_hazard": 3,
    "damaged_item|shipping": 9,
    "feature_request|product_question": 6,
    "product_question|shipping": 15,
    "refund|shipping": 21,
    "service_complaint|shipping": 27,
    "billing|cancellation|refund": 6,
    "damaged_item|refund|shipping": 9,
    "refund|service_complaint|shipping": 6,
}
COMBINATION_ROWS = 600

CHANNELS = {"email": 40, "chat": 30, "phone_transcript": 15, "social": 15}
EMOJI_SHARE = {"email": 0.03, "chat": 0.25, "phone_transcript": 0.0, "social": 0.5}
CHINESE_SHARE = 0.03
LONG_SHARE = 0.02
TYPO_SHARE = 0.15
DECOY_SHARE = 0.15
QUOTE_SHARE = 0.08
JOINT_SHARE = 0.6  # for two labels with common phrases: how often one sentence expresses both
LONG_ASIDES = 11  # about 190 words around the point of a long e-mail


@dataclass(frozen=True)
class Split:
    """One CSV file: name (also of its phrase bank), number of rows, first id."""

    name: str
    rows: int
    first_id: int


SPLITS = (Split("train", 2000, 1), Split("test", 600, 2001))


@dataclass(frozen=True)
class Brief:
    """Plan of one message."""

    labels: tuple[str, ...]
    channel: str
    language: str
    is_long: bool


def read_phrases(path: Path) -> dict[str, list[str]]:
    """Read a phrase bank as {section: lines}. phrases/train.txt describes the format."""
    sections: dict[str, list[str]] = {}
    lines: list[str] | None = None
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
        if line.startswith("## "):
            lines = sections.setdefault(line.removeprefix("## "), [])
        elif not line or line == "#" or line.startswith("# "):
            continue
        elif lines is None:
            raise ValueError(f"{path}:{number}: a phrase before the first section (## name)")
        else:
            lines.append(line)
    return sections


class Writer:
    """Writer of messages from one phrase bank.

    Phrases are dealt like cards: each of a section is used once before any is used again, so that
    the rarest label shows as many different wordings as it has rows.
    """

    def __init__(self, phrases: dict[str, list[str]], rng: random.Random) -> None:
        self.phrases = phrases
        self.rng = rng
        self._decks: dict[str, list[str]] = {}

    def write(self, brief: Brief) -> str:
        """Return the text of one message."""
        # A slot keeps its value within a message: one product, one order number, one writer.
        slots: dict[str, str] = {}
        if brief.language == "zh":
            return self._write_chinese(brief, slots)
        sentences = self._sentences(brief, slots)
        if brief.is_long:
            sentences = self._pad(sentences, slots)
        text = self._lay_out(brief.channel, sentences, slots)
        if self.rng.random() < EMOJI_SHARE[brief.channel]:
            text += " " + self._phrase("slot emoji", slots)
        if self.rng.random() < TYPO_SHARE:
            text = misspell(text, self.rng)
        return text

    def _deal(self, section: str) -> str:
        deck = self._decks.setdefault(section, [])
        if not deck:
            deck.extend(self.phrases[section])
            self.rng.shuffle(deck)
        return deck.pop()

    def _phrase(self, section: str, slots: dict[str, str]) -> str:
        """Deal a phrase and fill in its slots."""

        def fill(match: re.Match[str]) -> str:
            inner: str = match[1]
            if "|" in inner:
                return self.rng.choice(inner.split("|"))
            if inner not in slots:
                slots[inner] = self._phrase(f"slot {inner}", slots)
            return slots[inner]

        text = re.sub(r"\{([^{}]*)\}", fill, self._deal(section))
        text = re.sub(r"\^", lambda _: str(self.rng.randrange(10)), text)
        return text.replace("\\n", "\n")

    def _sentence(self, section: str, slots: dict[str, str]) -> str:
        """Return a phrase in which every sentence starts with a capital, also one that starts with a slot."""
        text = self._phrase(section, slots)
        return re.sub(r"(?:^|[.!?] )[a-z]", lambda match: match[0].upper(), text)

    def _topics(self, labels: tuple[str, ...]) -> list[str]:
        """Choose the sections that express these labels: one for each, or one for a pair of them."""
        left = list(labels)
        self.rng.shuffle(left)
        pairs = [f"{a}|{b}" for a in labels for b in labels if f"topic {a}|{b}" in self.phrases]
        sections = []
        if pairs and self.rng.random() < JOINT_SHARE:
            pair = self.rng.choice(pairs)
            sections.append(f"topic {pair}")
            left = [label for label in left if label not in pair.split("|")]
        return sections + [f"topic {label}" for label in left]

    def _sentences(self, brief: Brief, slots: dict[str, str]) -> list[str]:
        sections = self._topics(brief.labels) or ["idle"]
        sentences = [self._sentence(section, slots) for section in sections]
        for position in range(1, len(sentences)):
            if self.rng.random() < 0.5:
                sentences[position] = f"{self._phrase('link', slots)} {sentences[position]}"
        if self.rng.random() < DECOY_SHARE:
            others = [label for label in LABELS if label not in brief.labels and f"decoy {label}" in self.phrases]
            decoy = self._sentence(f"decoy {self.rng.choice(others)}", slots)
            sentences.insert(self.rng.randrange(len(sentences) + 1), decoy)
        if self.rng.random() < QUOTE_SHARE:
            sentences.insert(0, self._sentence("quote", slots))
        return sentences

    def _pad(self, sentences: list[str], slots: dict[str, str]) -> list[str]:
        """Spread the sentences, in their order, over a long story without any label."""
        story = [self._sentence("aside", slots) for _ in range(LONG_ASIDES)]
        positions = sorted(self.rng.sample(range(1, LONG_ASIDES + 1), len(sentences)), reverse=True)
        for position, sentence in zip(positions, reversed(sentences), strict=True):
            story.insert(position, sentence)
        return story

    def _lay_out(self, channel: str, sentences: list[str], slots: dict[str, str]) -> str:
        """Lay the sentences out as people write in this channel."""
        match channel:
            case "email":
                return self._lay_out_email(sentences, slots)
            case "chat":
                return self._lay_out_chat(sentences, slots)
            case "phone_transcript":
                return self._lay_out_phone_transcript(sentences, slots)
            case _:
                return self._lay_out_social(sentences, slots)

    def _lay_out_email(self, sentences: list[str], slots: dict[str, str]) -> str:
        paragraphs = [" ".join(sentences[i : i + 4]) for i in range(0, len(sentences), 4)]
        parts = [self._phrase("opener email", slots), *paragraphs]
        if self.rng.random() < 0.8:
            parts.append(self._phrase("closer email", slots))
        return "\n\n".join(parts)

    def _lay_out_chat(self, sentences: list[str], slots: dict[str, str]) -> str:
        parts = list(sentences)
        if self.rng.random() < 0.5:
            parts.insert(0, self._phrase("opener chat", slots))
        if self.rng.random() < 0.4:
            parts.append(self._phrase("closer chat", slots))
        text = ("\n" if self.rng.random() < 0.3 else " ").join(parts)
        if self.rng.random() < 0.5:
            text = text.lower()
        return text.rstrip(".") if self.rng.random() < 0.6 else text

    def _lay_out_phone_transcript(self, sentences: list[str], slots: dict[str, str]) -> str:
        parts = [self._phrase("opener phone_transcript", slots)]
        for sentence in sentences:
            if self.rng.random() < 0.4:
                parts.append(self._phrase("slot hesitation", {}))
            parts.append(sentence)
        if self.rng.random() < 0.5:
            parts.append(self._phrase("closer phone_transcript", slots))
        return " ".join(parts)

    def _lay_out_social(self, sentences: list[str], slots: dict[str, str]) -> str:
        parts = [self._phrase("slot handle", slots)] if self.rng.random() < 0.7 else []
        if self.rng.random() < 0.4:
            parts.append(self._phrase("opener social", slots))
        parts.extend(sentences)
        if self.rng.random() < 0.3:
            parts.append(self._phrase("closer social", slots))
        if self.rng.random() < 0.4:
            parts.append(self._phrase("slot tag", slots))
        return " ".join(parts)

    def _write_chinese(self, brief: Brief, slots: dict[str, str]) -> str:
        sections = [f"zh {label}" for label in brief.labels] or ["zh idle"]
        parts = [self._phrase(section, slots) for section in sections]
        if self.rng.random() < 0.6:
            parts.insert(0, self._phrase("zh opener", slots))
        if self.rng.random() < 0.5:
            parts.append(self._phrase("zh closer", slots))
        return "".join(parts)


def misspell(text: str, rng: random.Random) -> str:
    """Add one to three typos, each inside a word of five letters or more."""
    for _ in range(rng.randint(1, 3)):
        words = list(re.finditer(r"[A-Za-z]{5,}", text))
        if not words:
            return text
        word = rng.choice(words)
        position = rng.randrange(word.start() + 1, word.end() - 2)
        first, second = text[position], text[position + 1]
        typo = rng.choice((second + first, first, first + first + second))
        text = text[:position] + typo + text[position + 2 :]
    return text


def plan(split: Split, phrases: dict[str, list[str]], rng: random.Random) -> list[Brief]:
    """Plan each row of a split by quota: shares are exact, the order is random."""
    rows = [
        tuple(names.split("|")) if names else ()
        for names, count in COMBINATIONS.items()
        for _ in range(count * split.rows // COMBINATION_ROWS)
    ]
    rng.shuffle(rows)
    # The rarest label has no Chinese phrases, because it has too few rows.
    can_be_chinese = [i for i, labels in enumerate(rows) if all(f"zh {label}" in phrases for label in labels)]
    chinese = set(rng.sample(can_be_chinese, round(CHINESE_SHARE * split.rows)))
    can_be_long = [i for i, labels in enumerate(rows) if labels and i not in chinese]
    long = set(rng.sample(can_be_long, round(LONG_SHARE * split.rows)))
    channels = rng.choices(list(CHANNELS), weights=list(CHANNELS.values()), k=split.rows)
    return [
        Brief(
            labels=labels,
            channel="email" if i in long else channels[i],
            language="zh" if i in chinese else "en",
            is_long=i in long,
        )
        for i, labels in enumerate(rows)
    ]


def make_split(split: Split, seen: set[str]) -> str:
    """Return the content of a split's CSV file. A text whose lower-cased form is in `seen` is written again."""
    rng = random.Random(f"{SEED}-{split.name}")
    phrases = read_phrases(HERE / "phrases" / f"{split.name}.txt")
    writer = Writer(phrases, rng)
    out = io.StringIO()
    table = csv.writer(out, lineterminator="\n")
    table.writerow(FIELDS)
    for number, brief in enumerate(plan(split, phrases, rng), start=split.first_id):
        text = writer.write(brief)
        while text.lower() in seen:
            text = writer.write(brief)
        seen.add(text.lower())
        labels = "|".join(sorted(brief.labels))
        table.writerow((f"m{number:05d}", text, labels, brief.channel, brief.language))
    return out.getvalue()


def main() -> None:
    parser = argparse.ArgumentParser(description="Write the bundled sample of support messages.")
    parser.add_argument(
        "--output",
        type=Path,
        default=HERE,
        metavar="DIR",
        help="folder that gets train/messages.csv and test/messages.csv (default: %(default)s)",
    )
    output: Path = parser.parse_args().output
    seen: set[str] = set()
    for split in SPLITS:
        path = output / split.name / "messages.csv"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(make_split(split, seen), encoding="utf-8", newline="\n")
        print(f"{path}: {split.rows} rows")


if __name__ == "__main__":
    main()
