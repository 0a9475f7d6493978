"""Facts in plain sentences: does this message tell something personal that no identifier marks?

    stage = SemanticStage()                       # once; loads the shipped weights
    result = stage.score(extraction, rule_findings)
    result.probability                            # >= REVIEW (0.5): hold; >= BLOCK (0.9): block
    result.findings                               # the sentences behind it, with place and offsets

`segment` cuts sentences, `cues` and `encode` turn them into numbers, `model` sums weights, `features`
looks at the whole message, `stage` decides; `train` makes the weights. docs/semantic.md is the model card.
"""

from pii_scan.semantic.model import BadWeights, Weights
from pii_scan.semantic.stage import BLOCK, REVIEW, RULE, LinearScorer, SemanticResult, SemanticStage, SentenceScorer

__all__ = ["BLOCK", "REVIEW", "RULE", "BadWeights", "LinearScorer", "SemanticResult", "SemanticStage",
           "SentenceScorer", "Weights"]
