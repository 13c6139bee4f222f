"""Text of others as ids: whatever it says, no turn, no end and no video comes out of it.

A tokenizer looks for its added tokens before anything else. `split_special_tokens` takes only those out that
are flagged as special, and checkpoints differ in what they flag: here all are taken out.
"""

from __future__ import annotations

import json
from typing import Any

from tokenizers import Tokenizer


def without_added_tokens(tokenizer: Any) -> Tokenizer:
    """The backend of a transformers tokenizer, without its added tokens: every text is only text to it.

    Truncation and padding, which a tokenizer file may set too, are off.
    """
    parts = json.loads(tokenizer.backend_tokenizer.to_str())
    parts.update(added_tokens=[], truncation=None, padding=None, post_processor=None)
    model = parts["model"]
    added = {token.content for token in tokenizer.added_tokens_decoder.values()}
    # An added token may be in the vocabulary as well: merges do not make it, looking up whole words might.
    model["ignore_merges"] = False if added & model["vocab"].keys() else model.get("ignore_merges", False)
    return Tokenizer.from_str(json.dumps(parts))
