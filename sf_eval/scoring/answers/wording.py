"""The wordings in which models give, doubt and deny an answer.

Patterns over text that was normalised (`normalise.normalise`) and in which each option's text was replaced by
one sign (`masking.mask`). Every repetition is bounded, so that a hostile output costs no time.
"""

from __future__ import annotations

import re

TEXT = "[\ue000-\ue01f]"  # the signs that stand for the options' texts

# --- A letter -------------------------------------------------------------------------------------------
# G and H are read too, so that an answer that was not offered is seen as an answer (and refused).
_OPEN, _CLOSE = r"[(\[{<\"']{0,4}", r"[)\]}>\"']{0,4}"
_ALONE = r"(?<![a-z0-9à-ɏ])(?<![a-z]['\-])[a-h](?![a-z0-9à-ɏ])(?!['\-][a-z])"
_PREFIX = r"(?:(?:the\s+)?(?:option|choice|letter|answer)\s*:?\s*)?"
_LETTER = rf"{_PREFIX}(?P<open>{_OPEN})\s*(?P<letter>{_ALONE})"
NAMED = re.compile(_LETTER)
START = re.compile(rf"[\s\-–>|.]{{0,8}}{_LETTER}")
ISOLATED = re.compile(rf"({_ALONE})[^\w\ue000-\ue01f]*$")

# --- The end of a letter's clause -----------------------------------------------------------------------
# Words that follow no article, so that "a" before them is a letter.
_NO_NOUN = (
    r"(?:because|since|as|for|based on|due to|according to|in this|i think|i believe"
    r"|the|it|he|she|they|this|that|there|we|which|but|where)\b"
)
# Words that a letter does not modify, although an article may stand before them.
_NO_COMPOUND = (
    r"(?:and|so|not|rather than|instead of|explanation|reasoning|options?|i|if|unlike|although|let me)\b"
)
_CLAUSE_END = (
    rf"\s*{_CLOSE}\s*(?:(?:选项|選項|项|です|입니다|이다|번)?(?:$|[.,;:!]{{1,3}}"
    rf"(?=[\s\"')\]\u3040-\u9fff\uac00-\ud7af]|$|{TEXT}))|[\n/|<]|->|[-–—=>]+(?=\s|$|{TEXT})"
    r"|[(\[][^()\[\]\n]{0,60}[)\]]\s*(?:$|[.,;:!?\n]))"
)
ENDS_ARTICLE = re.compile(rf"{_CLAUSE_END}|\s*{_CLOSE}\s*{_NO_NOUN}")
ENDS = re.compile(rf"{_CLAUSE_END}|\s*{_CLOSE}\s*(?:{_NO_NOUN}|{_NO_COMPOUND})")
ENDS_SENTENCE = re.compile(rf"\s*{_CLOSE}\s*(?:$|[.!](?=\s|$)|\n)")
# At the start a label is enough: "(b) text", "b) text"; "b and a cat" is not.
ENDS_START = re.compile(rf"{_CLAUSE_END}|\s?[)\]}}>\"]|'(?![a-z])|\s*{_CLOSE}\s+(?:\(|{_NO_NOUN})")
ENDS_START_ARTICLE = re.compile(rf"{_CLAUSE_END}|[)\]}}>\"]|'(?![a-z])|\s+{_NO_NOUN}")
# "a.m.", "c.d. is shown", "a.mp4": the point is no end.
WORD_FOLLOWS = re.compile(r"\.[a-z0-9]")
ENDS_LABEL = re.compile(r"[.):](?=\s|$)")
OWN_TEXT = re.compile(rf"[\s.,:;\-–—=>/|)\]}}\"'(\[{{]{{0,8}}(?P<text>{TEXT})")
SPACE_ONLY = re.compile(rf"\s*{TEXT}")
ENDS_TEXT = re.compile(
    r"[\"')\]}]{0,4}\s*(?:$|[.,;:!)](?:\s|$)|\n|[(\[][a-h][)\]]|(?:because|since|as|based on|due to)\b)"
)

# --- Letters that are named together --------------------------------------------------------------------
_NEXT = rf"{_PREFIX}{_OPEN}\s*"
_MAYBE = r"(?:\s*\b(?:maybe|perhaps|possibly|also|either|even|then))?"
ANOTHER = re.compile(
    rf"\s*{_CLOSE}\s*(?:"
    rf"(?:[/&+=<>|]|->|\bor\b|\band\b|\bto\b|\bvs\b|[(\[]\s*(?:or|possibly|maybe|perhaps)\b|和|或|还是"
    rf"|[,;]\s*(?:and|or)\b){_MAYBE}\s*{_NEXT}(?P<joined>{_ALONE})"
    rf"|[\s.,;:?!\-–—]{{0,6}}{_MAYBE}\s*{_NEXT}(?P<listed>{_ALONE})"
    rf"(?={_CLAUSE_END}|\s*{_CLOSE}\s*(?:and|or|are)\b))"
)
ONE_BEFORE = re.compile(
    rf"({_ALONE})\s*{_CLOSE}\s*(?:[,/&+;]|\b(?:and|or|nor)\b|[,;]\s*(?:and|or))\s*{_OPEN}\s*$"
)
JOINED_BEFORE = re.compile(rf"{_ALONE}\s*{_CLOSE}\s*(?:[,/]|,?\s*\b(?:or|and)\b)\s*$")
LISTED_BEFORE = re.compile(rf"({_ALONE})[^\w]{{0,6}}(?:(?:and|or|nor|maybe|to|then)\b[^\w]{{0,3}}){{0,2}}$")

SENTENCE_APART = re.compile(r"[^\w,]{0,4}[.;:!?\n]|\s?[)\]}>]{1,4}\s(?!(?:and|or)\b|[,/&])|\s[(\[]")

# --- Statements -----------------------------------------------------------------------------------------
_BE = r"(?:is|was|be|are|would be|should be|must be|will be|seems to be|appears to be|has to be)\b"
_ADVERB = (
    r"(?:\s*(?:,|therefore\b|thus\b|hence\b|most likely\b|likely\b|probably\b|clearly\b|definitely\b"
    r"|simply\b|indeed\b|option\b)){0,3}"
)
_NOUN = r"(?:answer|ans|option|choice|response|selection|letter)"
_HEAD = (
    r"(?:prediction|predicted|pred|result|output|label|best|correct|selected|pick|final|conclusion"
    r"|solution|verdict"
    r"|decision|match|response)"
)
_CHOOSE = r"(?:choose|select|pick|chose|picked|selected|go with|going with|went with|opt for)"
_WE = r"(?:i|we|let's|let us|i'd|i'll|i'm|we'd|we'll)"
_BEST = r"(?:best|closest|right|correct|most [a-z]{1,20})"
_MATCH = (
    r"(?:match|fit|description|candidate|one|pick|guess|interpretation|summary|statement|alternative"
    r"|explanation)"
)
_SPEAKER = r"(?:assistant|ai|model|bot|gpt|agent|vlm|llm)"
_CHINESE = (
    r"(?:答案|正解|回答|(?:正确|正確|最佳|最好|最合适|最符合|最准确|对)的?(?:选项|選項|答案"
    r"|一项))[\]\"')]{0,2}\s*"
    r"(?:应该|應該|应当|应|應|就|最可能|可能)?\s*(?:是|为|為|选择|选|選擇|選|は)?\s*:?\s*(?:选项|選項"
    r"|選択肢)?"
    r"|(?:故|应|應|因此|所以|我)?(?:选|選)(?:择|擇)?(?:项|項)?\s*:?|選択肢|而是|应该是|应为"
)
_FOREIGN = r"(?:respuesta|r[ée]ponse|antwort|risposta|resposta|ответ)"
STRONG = re.compile(
    rf"(?:(?<![a-zà-ɏ])(?P<noun>{_NOUN})"
    r"(?:\s+(?:here|choice|option|letter|(?:to|for) (?:the|this)(?: given)? question))?"
    rf"(?:\s*{_ADVERB}\s+{_BE}{_ADVERB}\s*[:=>\-–—]*|[\"']?\s*(?:[:=>–—]|->|-\s))"
    r"|(?<![a-z])(?:answer|ans)\s*(?:\||(?=\s[(\[\"']?[a-h](?![a-z])))"
    rf"|(?<![a-z]){_HEAD}[\"']?\s*:"
    rf"|(?<![a-z])(?<!second )(?<!second-){_BEST}\s+{_MATCH}\s*{_ADVERB}\s+{_BE}{_ADVERB}\s*[:=>\-–—]*"
    rf"|(?:^|\n)[^\w\n]{{0,4}}{_SPEAKER}\s?(?::|\n)"
    rf"|(?<![a-z']){_WE}\s+(?:(?:would|will|must|should|have to|had to|also|therefore|rather)\s+){{0,2}}"
    rf"{_CHOOSE}\s*:?"
    rf"|(?:^|[.:;\n]\s*){_CHOOSE}\s*:?(?=\s)"
    rf"|(?<![a-z]){_FOREIGN}(?:\s(?:correct[ae]|correcte|corretta|correta))?"
    r"\s*(?::|[-–—]|\b(?:es|est|ist|è|é)\b)"
    r"|정답은|(?:정답|답)\s*:|답은|答え(?:は)?\s*:?"
    rf"|{_CHINESE}"
    r")\s*(?:\n\s*[-–]\s*)?(?:-\s)?"
)
_WEAK_WORD = (
    r"(?:it's|it is|that's|that is|this is|must be|should be|would be|could be|may be|might be|maybe|perhaps"
    r"|probably|possibly|presumably|apparently|likely|definitely|certainly|clearly|surely|obviously|actually"
    r"|therefore|thus|hence|so|in fact|instead(?! of)|rather(?! than)|then again|wait|on second thoughts?"
    r"|looks like"
    r"|seems like|suspect|reckon|think|believe|guess|i'd say|i would say|i say|conclude)\b"
)
_FITS = (
    r"(?:correspond(?:s|ing)? to|match(?:es|ing)?|point(?:s|ing)? to)\s+(?:the\s+)?"
    r"(?=(?:option|choice|answer)\b)"
)
_CONCLUDING = (
    r"(?:in (?:conclusion|summary|short|sum)|to (?:conclude|summari[sz]e|sum up)|overall|all in all"
    r"|all things considered|as a result|consequently|accordingly)"
)
_OPENER = r"(?:sure|yes|yeah|okay|ok|well|(?:based on|according to|given|after watching)\s[^.,:;!?\n]{1,80})"
WEAK = re.compile(
    rf"(?<![a-z'])(?:{_WEAK_WORD}|(?<!-)->)\s*[,:]?\s*(?:(?:it's|it is|that it is|that|rather)\s+)?"
    r"|(?<![a-z])(?:answer|option|choice|response)\s[^.;:\n]{1,80}?\s(?:is|be)\b\s*:?\s*"
    rf"|(?<![a-z]){_FITS}"
    rf"|(?:^|[.!?\n]\s?){_CONCLUDING}\s?[,:]\s*"
    rf"|(?:^|\n){_OPENER}[,!.]\s*(?={_NEXT}{_ALONE}{_CLOSE}[.!]?\s*(?:$|\n))"
)
# "team a is best" and "b is right of c" tell of other things than options.
BEFORE_STATEMENT = re.compile(
    r"(?:^|[^\w\s'\-]\s*|\n\s*|\b(?:so|thus|hence|therefore|that|think|believe|and|or|but|clearly|only"
    r"|while|because"
    r"|although|however|since|then|between"
    r"|again|inspection|look|reflection|thoughts?|consideration|review|fact|overall|still|option)\s+)$"
)
_DESCRIBES = r"(?:describes|matches|fits|answers|represents|captures|reflects|explains|summari[sz]es)"
_IS = r"(?:is|must be|(?P<hedge>would be|seems|appears to be|looks|might be|may be|could be|sounds|feels))"
_BETTER = (
    r"(?:(?:much|far|even|slightly|clearly|definitely|probably|a|the|also)\s+){0,2}(?:better|more\s+"
    r"(?:likely|accurate"
    r"|plausible|appropriate|suitable|fitting|consistent|precise|correct|convincing|reasonable|probable))"
)
_OF_ANSWERS = (
    rf"(?=\s*(?:$|[.,;:!\n)\]]|(?:answer|option|choice|response|one|{_MATCH}|because|since|as|based|and"
    rf"|but|given"
    r"|according|here|if|unless|about|for|than|with)\b))"
)
STATEMENT = re.compile(
    rf"{_LETTER}\s*{_CLOSE}\s+(?:(?:best|most accurately|accurately|correctly)\s+{_DESCRIBES}\b"
    rf"|{_IS}(?:\s+(?:the|to be|most|likely|probably|clearly|definitely|therefore|indeed|my|only"
    rf"|also)){{0,4}}"
    rf"\s+(?:correct|right|best|answer|true|accurate|appropriate)(?![a-z]){_OF_ANSWERS}"
    rf"|(?:is|seems|looks|appears|sounds|feels|would be|might be|could be)\s+"
    rf"(?:to be\s+)?{_BETTER}{_OF_ANSWERS}"
    rf"|(?:{_DESCRIBES}|works|suits)\s+(?:(?:it|this|that|the (?:video|scene|question|clip))\s+)?"
    rf"(?:(?:much|far|even)\s+)?(?:better|best|more (?:closely|accurately)){_OF_ANSWERS}"
    r"|makes (?:more|the most) sense\b)"
)
CHINESE_STATEMENT = re.compile(
    rf"{_LETTER}{_CLOSE}\s*(?:选项|選項|项|項)?\s*(?:是|为|才是|才|最|更)?(?:最|更)?"
    r"(?:正确|正確|对的|符合|准确|佳|合适|合理|好)(?!吗|嗎|么|的?可能)"
)
# "C is the correct answer" tells of an option even where C is also somebody's name.
SAYS_ANSWER = re.compile(r"(?:(?<=\banswer)|\s*(?:answer|option|choice))\b")
SAID = re.compile(rf"\w|{TEXT}")
IS_PREFIXED = re.compile(r"\b(?:option|choice|answer)\b")
FINAL = re.compile(r"(?<![a-z])final (?:answer|choice|option)\b")
BRACKETED = re.compile(
    r"[(\[{]\s*(?P<letter>[a-h])\s*[)\]}](?=\s*(?:$|[.,;:!?\n)]|[(\[])|\s(?:and|or|nor|to|is|are)\b)"
)
LAST = re.compile(rf"(?:\n|(?<!\d)[.!?]\s){_OPEN}\s*(?P<letter>{_ALONE})\s*{_CLOSE}[.!]?\s*$")
_LABEL_NAME = r"(?:(?:option|choice|answer|选项)\s*)?"
_LABEL_OPEN = r"[(\[{<\"']{0,3}"
# The label of a list's line: "b.", "- (b)", "2. b:", "option b -", "b (80%)", and "b" alone.
_LINE_LABEL = (
    rf"(?:^|\n)[^\w\n\ue000-\ue01f]{{0,8}}(?:\d{{1,2}}\s?[.):]\s*)?{_LABEL_NAME}{_LABEL_OPEN}\s?"
    rf"(?P<line>{_ALONE})(?= ?(?:[)\]}}>\"']|[.](?![a-z]\b)|[:=|]|->|[-–—,;](?=\s|$|{TEXT})|$|(?=\n)|["
    rf"(\[{{]|/\s?\d|(?={TEXT})|\d))"
)
# A label within a line, and one that the output ends with.
_INLINE_LABEL = (
    rf"(?:[.;:?!,|\])}}{{]\s*{_LABEL_OPEN}|{TEXT}[\"'.;,|]{{0,3}}\s*{_LABEL_OPEN}|\s[(\[]\s?"
    rf"|\s[-–—]\s{_LABEL_OPEN}|[\d%]\s+{_LABEL_OPEN})"
    rf"{_LABEL_NAME}(?P<inline>{_ALONE})"
    rf"(?=\s*[\"')}}]{{0,2}}\s*(?:[.):=>;](?=\s|$|{TEXT}|[\"'\d\[{{])|\]|\||->|/\s?\d|\s?[(\[{{]?\d)"
    rf"|[\"']\s?,\s?[\d\"']|\s*[-–—](?=\s|{TEXT}|\d)|(?<!a)\s?(?={TEXT}))"
)
_LAST_LABEL = (
    rf"(?:{TEXT}[\"'.;,|]{{0,3}}\s*|[.;,:|\-–—]\s){_LABEL_OPEN}{_LABEL_NAME}"
    rf"(?P<last>{_ALONE})[\"')\]}}]{{0,2}}\s*$"
)
_AFTER_SEMICOLON = rf";\s*{_LABEL_OPEN}{_LABEL_NAME}(?P<next>{_ALONE})\s?[.,:](?!\s*(?:and|or)\b)"
LABEL = re.compile(
    rf"(?:{_LINE_LABEL}|{_INLINE_LABEL}|{_LAST_LABEL}|{_AFTER_SEMICOLON})"
    r"(?![)\]}>\"'.:=,;\s]{0,4}(?:is|are|was|and|or|could|can|might|may|would|also|seems|does|has|will"
    r"|too)\b)"
)
# What follows a label where options are given numbers or texts: '"b": 0.8', "b (80%)", "b = blue".
SCORE = re.compile(r"[\s\"')\]}:=(\[{>\-–—|.,/]{0,6}\d")
SHARE = re.compile(r"[\s\"')\]}:=(\[{>\-–—|,/]{0,6}(?:\d{1,3}(?:\.\d{1,6})? ?%|[01]?\.\d)")
KEY = re.compile(r"[\"']\s*(?::|=>|=|->)\s*")
PAIR = re.compile(r"\s?[)\]]?(?::|=|->| [-–—] )")
LISTS_OPTIONS = re.compile(
    r"\b(?:options|choices|candidates|possibilities|(?:possible|given) answers|each (?:[a-z]+ )?(?:option"
    r"|choice|answer)|one by one)\b"
    r"|各?个?选项(?![a-h])"
)
IN_LIST = re.compile(rf"[\n:.;(\[][^\w\n]{{0,6}}{_LABEL_NAME}{_LABEL_OPEN}(?P<letter>{_ALONE})")
# The beginning of a label that the end of the output cut off.
NEXT_LABEL = re.compile(r"\W*(?:\d{1,2}\W*)?(?:(?:option|choice|answer)\W*)?")
LABEL_END = re.compile(r"\s?[.):=\]]")
EXPLANATION = re.compile(r"\n\W*(?:explanation|reason|rationale|justification|why|the other|other)")
# Only where the list begins right behind it does the explanation stand apart from what is before.
EXPLAINS_LIST = re.compile(r"[^\n]{0,40}\n\W*(?:(?:option|choice)\s+)?[a-h]\b")
LIST_INTRODUCTION = re.compile(
    r"\b(?:options|choices|candidates|possibilities|answers|(?:each|every) (?:[a-z]+ )?(?:option|choice"
    r"|answer|one)|one by one"
    r"|step by step|analysis|analy[sz]\w+|consider\w*|evaluat\w+|examin\w+|compar\w+|go(?:ing)? through"
    r"|let's|let us|let me)\b"
)

# --- Denial and doubt -----------------------------------------------------------------------------------
NOUN = re.compile(rf"{_NOUN}\b")
# "his answer is b", "each option: (b) ...": not the answer to the question.
NOT_ONE = re.compile(
    r"(?:\b(?:his|her|their|(?<!let)(?<!question)'s)\s+(?:[a-z]+\s+)?|\b(?:each|every|per|which|other"
    r"|first|second|third|any|all|both|possible|falsche|mauvaise|fausse|errada)"
    r"\s+(?:[a-z]+\s+)?)$"
)
NEGATION = re.compile(
    r"n't\b|\b(?:not|no(?!,?\s+(?:wait|it's|it is|that's|that is|[(\[]?[a-h](?![a-z0-9])))|nobody|nothing"
    r"|none|cannot|without|unless|neither|nor|never|unable|rather than"
    r"|instead of|unlikely|hardly|doubt|wrong|incorrect|false|far from|anything but|except|avoid\w*|exclud\w+"
    r"|eliminat\w+|discard\w*|reject\w*|rul(?:e|es|ed|ing) out|impossible|whether|if|unlike)\b"
    r"|(?<!at )\bleast\b|不|错|錯|排除|非(?!常)"
)
CLAUSE_BREAK = re.compile(
    r"[.;,:!?\n]|\bbut\b|\bhowever\b|\bbecause\b|\btherefore\b|\bso\b|\bthus\b|\bsince\b"
)
SENTENCE_BREAK = re.compile(r"[.;!?\n]|\bbut\b|\bhowever\b|\bso\b|\btherefore\b|\bthus\b|\bhence\b|\byet\b")
HYPOTHESIS = re.compile(
    r"\b(?:if|unless|whether|suppose|assum(?:e|ing)|initially|at first|let the|such as|example|e\.g"
    r"|says|said|claims|thinks|(?<!no )(?<!without )(?<!without a )(?<!beyond )doubt)\b"
    r"|\b(?:you|one|some|someone|people|many|others) (?:might|may|could|would|can|will)\b|如果|假设|假如|要是"
)
# "before the dog runs": the option tells when, not what.
ASIDE = re.compile(r"\b(?:before|after|until|once|when|while|first|then)\b")
SENTENCE_END = re.compile(r"[.!?\n]")
CONDITION = re.compile(r"[^.;!?\n]{0,80}?\b(?:if|unless|were it)\b")
QUESTION = re.compile(
    r"\s*(?:and |or |but )?(?:is|are|was|were|could|can|would|does|do|did|should|might|may|will|why|how)\b"
)
_FALSE = r"(?:wrong|incorrect|false|excluded|eliminated|ruled out|unlikely|impossible|untrue|out)\b"
_MISFIT = r"(?:match|fit|apply|describe|appear|happen|correspond|hold|work|make sense)\b"
# "not" that turns against the next letter ("b, not a") is no denial of this one.
_NOT = rf"(?:n't|\s*\bnot)\b(?!\s+it\s*\?)(?!\s+(?:be\s+)?(?:the\s+)?(?:{_NEXT}(?:{_ALONE})|{TEXT}))"
_ADV = r"(?:\s*\b(?:clearly|definitely|also|probably|therefore|thus|all|both|just|simply|most likely))?"
_SUBJECT = r"(?:(?:but|and)\s+)?(?:which|that|this|it)(?:\s+(?:option|choice|answer|one))?"
_GAP = r"[\s.,:;!?…)\]}>\"'(\[\-–—|]{0,8}"
_VERB = r"(?:is|are|was|were|seems?|looks?|ca|can|could|would|wo|must|does|do|did|has|have)"
_DENIAL = (
    rf"{_VERB}{_ADV}(?:\s*be(?:en)?\b)?{_ADV}(?:{_NOT}|\s*(?:{_FALSE}|never\b|hardly\b))|cannot\b|fails\b"
)
DENIED = re.compile(
    rf"{_GAP}(?:(?:{_SUBJECT}\s+)?(?:{_DENIAL})"
    rf"|{_FALSE}|no(?=\s*(?:$|[.,;:!?)\]\n|]|[(\[]?[a-h]\b))|nope\b|i (?:don't|do not) think so"
    r"|(?:is\s+)?not (?:(?:the\s+)?(?:correct|right|true|answer|accurate)|visible|seen|shown|supported"
    rf"|present|mentioned|possible|likely|applicable)\b|(?:does|do)(?:n't| not) {_MISFIT}"
    r"|at first\b|initially\b)"
    r"|\s*(?:是|选项)?(?:错|不|非)|\s*!="
)
DENIED_LATER = re.compile(
    rf"(?:[.;!?,\n]\s*){_SUBJECT}\s+(?:is|was|seems?|does|would be)\s*(?:{_FALSE}"
    rf"|(?:n't|not)\s+(?:(?:the\s+)?(?:correct|right|true|answer|accurate|supported)\b|{_MISFIT}))"
)
FALSE_TEXT = re.compile(
    rf"{_GAP}(?:(?:{_SUBJECT}\s+)?(?:(?:is|was)\s+(?:not\s+)?)?{_FALSE}|(?:no|not)\s*(?:$|[.,!?]))"
)
RETRACTION = re.compile(
    r"(?:[.,;:!?\n\-–—]\s*)(?:(?:oh|ah|no|nope|but|and|yet|although|though|or|hm+|well|okay|ok"
    r"|so)\b,?\s+){0,2}"
    r"(?:wait|actually|correction|hold on|on second thoughts?|scratch that|strike that|i mean|sorry"
    r"|never ?mind"
    r"|let me (?:re-?consider|re-?check|re-?think|re-?evaluate|think again|correct)|i take (?:that|it) back"
    r"|i was wrong|my (?:mistake|bad))\b"
)
REFUSAL = re.compile(
    r"cannot|can't|can not|unable|n't know|unclear|don't see"
    r"|not (?:know|sure|clear|certain|possible|enough|able|visible|shown|determine)"
    r"|impossible to|no information|not provided|insufficient|isn't enough"
)
