"""Make the tiny model in `sf_eval/assets/mini`: seeded random weights in the published layout.

    python tools/make_mini_model.py [--output DIR]

The same versions of torch and tokenizers give the same bytes. The weights are untrained: what the model says
means nothing, but every step of an evaluation runs on it, without a GPU and without a download.
"""

from __future__ import annotations

import argparse
import json
import random
from pathlib import Path

import torch
from safetensors.torch import save_file
from tokenizers import AddedToken, Regex, Tokenizer, decoders, normalizers, pre_tokenizers
from tokenizers.models import BPE
from tokenizers.trainers import BpeTrainer
from torch import nn
from transformers.models.qwen2.tokenization_qwen2 import PRETOKENIZE_REGEX

from sf_eval.model.attention import HybridAttention
from sf_eval.model.checkpoint import config_from
from sf_eval.model.modeling import SlowFastForConditionalGeneration

SEED = 20250408
VOCABULARY = 1024
SPECIAL_TOKENS = ("<|endoftext|>", "<|im_start|>", "<|im_end|>")

CONFIG = {
    "architectures": ["LlavaQwenSlowFastForCausalLM"],
    "model_type": "llava_qwen_slow_fast",
    "vocab_size": VOCABULARY,
    "hidden_size": 96,
    "intermediate_size": 192,
    "num_hidden_layers": 6,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "max_position_embeddings": 4096,
    "tokenizer_model_max_length": 4096,
    "tokenizer_padding_side": "left",
    "rms_norm_eps": 1e-6,
    "rope_theta": 1000000.0,
    "tie_word_embeddings": False,
    "torch_dtype": "float16",
    "mm_vision_tower": "convnext-128",
    "mm_hidden_size": 64,
    "mm_projector_type": "mlp2x_gelu",
    "mm_video_pooling_stride": 2,
    "vision_config": {
        "depths": [1, 1, 2, 1],
        "hidden_sizes": [24, 32, 48, 64],
        "layer_norm_eps": 1e-5,
        "image_size": 128,
    },
    "cross_attn_every_n_layers": 2,
    "cross_attn_implementation": "text-only-vanilla",
    "cross_attn_gating_type": "whole-dynamic-tanh-warmup",
    "fast_token_spatial_stride": 1,
    "fast_token_temporal_stride": 4,
    "fast_token_temporal_sampling_stride": 1,
    "min_fast_frames": 16,
    "num_frames": 64,
}

SENTENCES = (
    "Select the best answer to the following multiple-choice question based on the video.",
    "Select the best answer to the following multiple-choice question based on the video. "
    "Respond with only the letter (A, B, C, or D) of the correct option.",
    "Answer with the option's letter from the given choices directly.",
    "This video's subtitles are listed below:",
    "You are a helpful assistant.",
    "The best answer is:",
    "Options:",
    "system\nuser\nassistant\n",
)
QUESTIONS = (
    "What {noun} does the {noun} {verb}?",
    "How many times does the {noun} {verb}?",
    "Which {noun} is seen first?",
    "What is the color of the {noun}?",
    "What happens after the {noun} {verb}s the {noun}?",
    "In which direction does the {color} {noun} move?",
    "Describe why the {noun} {verb}s.",
    "Where is the {noun} when the {color} {noun} appears?",
    "Who {verb}s the {noun} before the end of the video?",
)
ANSWERS = (
    "The {noun} {verb}s the {noun}",
    "A {color} {noun}",
    "{count} times",
    "{color}",
    "{count}",
    "It moves from the {side} to the {side}",
    "The {color} {noun} {verb}s",
)
WORDS = {
    "noun": """
        person man woman child dog cat car bicycle tram ball box cup table chair door window kitchen street
        house tree flower guitar violin lantern ladder mirror turtle chef kite glacier whistle circle square
        triangle star shape background object scene screen frame clip text number sign book paper food bread
        water hand head face room road river mountain sky light game player team camera phone computer story
        ending beginning
    """,
    "verb": """
        appear move open close lift drop throw hide follow paint clean repair measure hold carry push pull
        turn walk run jump sit stand look show cut cook eat drink play read write talk stop start enter
        leave flash change grow fall
    """,
    "color": """
        red green blue yellow orange purple white black gray brown pink cyan magenta dark bright
    """,
    "side": """
        left right top bottom middle upper lower
    """,
    "count": """
        one two three four five six seven eight nine ten once twice never 0 1 2 3 4 5 6 7 8 9
    """,
}
COMMON_WORDS = """
    about after again against all almost also although always among another any around because become
    been before began being below between both bring build called came cannot certain clear close colour
    come could course day different direction disc does done down during each early either else enough
    even every example far few find first follow following form found from full gave general give given
    going good great group had half has have here high home however important increase inside instead
    into just keep kind knew know known large last later least less let life like line little long
    looked made make many matter might moment more most mother moving much must name near need next
    night nothing now number off often old only order other our out outside over own part past people
    perhaps place point possible present problem public question quite rather reason right round said
    same saw say school second see seem seen several shall short should side since small some something
    sometimes soon sound still such sure system take taken tell than that their them then there these
    they thing think third this those thought though three through time today together told too took
    toward two under until upon used use using usually very want wanted was water way well went were
    what when where whether which while whole why will with within without word work world would write
    year young your cooking subtitles transcript narrator documentary sports animation lecture interview
    travel knowledge film television artistic performance language counting recognition reasoning
    temporal spatial perception synopsis attribute action information egocentric anomaly moves changed
    appeared suddenly quickly slowly finally began explains introduces mentions describes
"""
OPTION_FORMS = ("{letter}. {answer}\n", "({letter}) {answer}\n", "{letter}. {answer}.\n")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    default = Path(__file__).parent.parent / "sf_eval" / "assets" / "mini"
    parser.add_argument("--output", type=Path, default=default)
    output: Path = parser.parse_args().output
    output.mkdir(parents=True, exist_ok=True)
    write_tokenizer(output)
    write_json(output / "config.json", CONFIG)
    save_file(random_weights(), output / "model.safetensors", metadata={"format": "pt"})
    (output / "model.safetensors").chmod(0o644)


def write_tokenizer(output: Path) -> None:
    """A byte-level BPE tokenizer of Qwen2's kind, trained on question-and-answer text made here."""
    tokenizer = Tokenizer(BPE())
    tokenizer.normalizer = normalizers.NFC()
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(PRETOKENIZE_REGEX), behavior="isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    tokenizer.decoder = decoders.ByteLevel()
    trainer = BpeTrainer(
        vocab_size=VOCABULARY - len(SPECIAL_TOKENS),
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        show_progress=False,
    )
    tokenizer.train_from_iterator(training_text(), trainer)
    tokenizer.add_special_tokens(
        [AddedToken(token, special=True, normalized=False) for token in SPECIAL_TOKENS]
    )
    assert tokenizer.get_vocab_size() == VOCABULARY, tokenizer.get_vocab_size()
    tokenizer.save(str(output / "tokenizer.json"))
    ids = {token: tokenizer.token_to_id(token) for token in SPECIAL_TOKENS}
    added = {
        str(index): {
            "content": token, "lstrip": False, "normalized": False, "rstrip": False, "single_word": False,
            "special": True,
        }
        for token, index in ids.items()
    }  # fmt: skip
    write_json(
        output / "tokenizer_config.json",
        {
            "tokenizer_class": "Qwen2Tokenizer",
            "added_tokens_decoder": added,
            "eos_token": "<|im_end|>",
            "pad_token": "<|endoftext|>",
            "unk_token": None,
            "model_max_length": CONFIG["tokenizer_model_max_length"],
            "clean_up_tokenization_spaces": False,
        },
    )
    write_json(
        output / "generation_config.json",
        {
            "do_sample": False,
            "eos_token_id": [ids["<|im_end|>"], ids["<|endoftext|>"]],
            "pad_token_id": ids["<|endoftext|>"],
        },
    )


def training_text() -> list[str]:
    """Prompts like the benchmarks', put together at random from the lists above."""
    dice = random.Random(SEED)

    def fill(template: str) -> str:
        for kind, words in WORDS.items():
            while "{" + kind + "}" in template:
                template = template.replace("{" + kind + "}", dice.choice(words.split()), 1)
        return template

    texts = []
    for _ in range(2000):
        options = dice.choice(OPTION_FORMS)
        lines = "".join(
            options.format(letter=letter, answer=fill(dice.choice(ANSWERS))) for letter in "ABCDE"
        )
        texts.append(
            f"{dice.choice(SENTENCES)}\n{fill(dice.choice(QUESTIONS))}\n{lines}{dice.choice(SENTENCES)}"
        )
        texts.append(" ".join(dice.choices(COMMON_WORDS.split(), k=12)) + ".\n")
    return texts


def random_weights() -> dict[str, torch.Tensor]:
    """Weights in published names, float16, scaled so that activations neither vanish nor explode."""
    torch.manual_seed(SEED)
    model = SlowFastForConditionalGeneration(config_from(CONFIG, "the mini model"))
    for module in model.modules():
        if isinstance(module, (nn.Linear, nn.Conv2d)):
            fan_in = module.weight[0].numel()
            nn.init.normal_(module.weight, std=fan_in**-0.5)
            if module.bias is not None:
                nn.init.zeros_(module.bias)
        elif isinstance(module, nn.Embedding):
            nn.init.normal_(module.weight)
    for name, parameter in model.named_parameters():
        if name.endswith(".gamma"):
            nn.init.constant_(parameter, 0.5)
    for module in model.modules():
        if isinstance(module, HybridAttention):
            # Open gates: with the published zero the slow path would do nothing before training.
            nn.init.ones_(module.cross_attn_warm_up_gate)
            nn.init.ones_(module.cross_attn_gate_proj[0].bias)
    return {
        name.replace(".gamma", ".weight"): tensor.detach().half().contiguous()
        for name, tensor in model.state_dict().items()
    }


def write_json(path: Path, values: object) -> None:
    path.write_text(json.dumps(values, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
