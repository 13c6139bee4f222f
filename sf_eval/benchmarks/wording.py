"""The wordings in which models give, doubt and deny an answer, as patterns over normalised text."""

from __future__ import annotations

import re

# A letter, perhaps in brackets or quotes, perhaps called an option. G and H are read too, so that an answer
# that was not offered is seen as an answer (and refused) instead of being passed over.
# Every repetition is bounded, so that a hostile output that repeats one thing costs no time.
_OPEN, _CLOSE = r"[(\[{<\"']{0,4}", r"[)\]}>\"']{0,4}"
_LETTER = (
    rf"(?:(?:option|choice|letter|answer)\s*:?\s*)?(?P<open>{_OPEN})\s*"
    r"(?<![a-z0-9])(?<![a-z]')(?P<letter>[a-h])(?![a-z0-9])"
)
_NEXT = _LETTER.replace("?P<letter>", "?P<next>").replace("?P<open>", "?:")

# Words after a letter that cannot follow an article: "the answer is a because ..." names option A.
_FOLLOWER = r"(?:because|since|as|for|based on|due to|according to|in this|i think|i believe)\b"
_CLAUSE_END = rf"\s*{_CLOSE}\s*(?:$|[.,;:!?\n/<]|[-–—>=|]\s|\([^()\n]*\)\s*(?:$|[.,;:!?\n]))"
_END = rf"(?:{_CLAUSE_END}|\s*{_CLOSE}\s*(?:{_FOLLOWER}|(?:and|but|so|which|is|was)\b))"
DENIED = re.compile(
    rf"\s*{_CLOSE}[.:]?\s*(?:(?:is|are|was|seems?|looks?|can|could|would|must|does|do)\s*"
    r"(?:clearly\s+|definitely\s+|also\s+|probably\s+)?(?:be\s+)?"
    r"(?:not\b|n't|never\b|wrong|incorrect|false\b|excluded|eliminated|ruled out|unlikely|impossible)"
    r"|cannot\b|wrong\b|incorrect\b)"
)
ANOTHER = re.compile(
    rf"\s*{_CLOSE}\s*(?:(?:[,/&+|]|(?=[(\[]))\s*{_LETTER}(?={_CLAUSE_END})"
    rf"|,?\s*\b(?:and|or)\s+{_NEXT}(?={_END}|\s+are\b))"
)
ONE_BEFORE = re.compile(r"(?<![a-z0-9'])[a-h]\s*[)\]}]?\s*(?:[,/&+]|\band\b|\bor\b|\bnor\b)\s*[(\[{]?\s*$")

_BE = r"(?:is|was|be|are|would be|should be|must be|will be|seems to be|appears to be|has to be)"
_ADVERB = (
    r"(?:\s*(?:,|therefore|thus|hence|most likely|likely|probably|clearly|definitely|simply|indeed|option))"
    r"{0,3}"
)
_NOUN = r"(?:answer|ans|option|choice|response|selection|letter)"
STRONG = re.compile(
    rf"(?:(?<![a-z]){_NOUN}(?:\s+(?:here|choice|option|letter|(?:to|for) (?:the|this) question))?"
    rf"(?:\s*{_ADVERB}\s+{_BE}{_ADVERB}\s*[:=>\-–—]*|\s*(?:[:=>–—]|->|-\s))"
    r"|(?<![a-z])answer(?=\s+[(\[\"']?[a-h](?![a-z]))"
    r"|(?<![a-z])(?:choose|select|pick|chose|go with|going with|went with|opt for)\s*:?"
    r"|答案(?:是|为|為|选|選)?\s*:?|正确选项(?:是|为)?\s*:?|选择?|選|정답은|답은|답:|答えは)\s*"
)
WEAK = re.compile(
    r"(?<![a-z])(?:it's|it is|that's|that is|this is|must be|should be|would be|could be|may be"
    r"|might be|maybe|perhaps|probably|likely|therefore|thus|hence|so|think|believe|guess|say"
    r"|conclude|->|=>|→)\s*[,:]?\s*"
    r"(?:(?:it's|it is|that it is|that|rather)\s+)?"
    rf"|(?<![a-z]){_NOUN}\s[^.;:\n]{{1,80}}?\s(?:is|be)\s*:?\s*"
)
STATEMENT = re.compile(
    rf"{_LETTER}\s*{_CLOSE}\s+(?:is|would be|seems|must be|appears to be|looks)"
    r"(?:\s+(?:the|to be|most|likely|probably|clearly|definitely|therefore|indeed|my|only)){0,4}"
    r"\s+(?:correct|right|best|answer|true|accurate|appropriate)(?![a-z])"
)
FINAL = re.compile(r"(?<![a-z])final (?:answer|choice|option)\b")
BRACKETED = re.compile(r"[(\[{]\s*(?P<letter>[a-h])\s*[)\]}]")
LAST = re.compile(rf"(?:\n|[.:!?]\s){_OPEN}\s*(?P<letter>[a-h])\s*{_CLOSE}[.!]?\s*$")
NAMED = re.compile(_LETTER)
ENDS = re.compile(_END)
# What may follow a letter that begins the output; "a (small) dog" begins with an article.
CLOSES_START = re.compile(
    rf"\s*{_CLOSE}\s*(?:$|[.,;:!?/\n<(]|[-–—>|]\s)|[)\]}}>\"]|'(?![a-z])|\s+{_FOLLOWER}"
)
CLOSES_ARTICLE = re.compile(rf"{_CLAUSE_END}|[)\]}}>\"]|'(?![a-z])|\s+{_FOLLOWER}")
START = re.compile(rf"[\s\-–>]*{_LETTER}")
LINE_LABEL = re.compile(r"^\W*([a-h])\s*[.):]", re.MULTILINE)
ABBREVIATION = re.compile(r"\.[a-z](?![a-z])")
NEGATION = re.compile(r"n't\b|\b(?:not|no|cannot|if|whether|unless|neither|never|unable|rather than)\b")
CLAUSE_BREAK = re.compile(
    r"[.;,:!?\n]|\bbut\b|\bhowever\b|\bbecause\b|\btherefore\b|\bso\b|\bthus\b|\bsince\b"
)

TAGGED = re.compile(
    r"<answer>\s*(.*?)\s*(?:</answer>|$)|\\boxed\s*\{((?:[^{}]|\{[^{}]*\})*)\}", re.DOTALL | re.IGNORECASE
)
THOUGHT_END = re.compile(r"</think(?:ing)?>", re.IGNORECASE)
THOUGHT_START = re.compile(r"<think(?:ing)?>", re.IGNORECASE)
