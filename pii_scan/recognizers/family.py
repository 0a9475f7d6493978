"""Births, deaths, marriages, separations and other private life of a person."""

from __future__ import annotations

import re

from pii_scan.findings import Category
from pii_scan.folding import word_set
from pii_scan.recognizers.wording import KIN, KIN_FR, WordingRecognizer, compile_cue

_DIED = (
    r"(?:died|passed away|passed on|is dying|was killed|has died|had died|lost (?:his|her|their) battle|was buried|"
    r"passed last|passed yesterday|passed this)"
)


class FamilyRecognizer(WordingRecognizer):
    """Find a birth, death, divorce, custody, engagement or family illness told of a person's family.

    A relative or a pronoun and the event stand in one sentence. Score 0.85. Condolences without a person,
    congratulations and news are left to the semantic stage.

    Source: gov.bc.ca, "Personal Information" (marital status); words are ours.
    """

    kind = "family"
    category = Category.FAMILY_PRIVATE_LIFE
    citation = "category.family_private_life"
    anchors = word_set(
        "broke eloped "
        "pregnant expecting due wedding hospice "
        "husband wife accoucher accouche split moved ex affair remarried widow widowed pregnant adoption shelter "
        "rupture quitte ex-mari ex-femme "
        "veuf veuve fiancailles twin lad "
        "loss passing memorial sympathies sympathy lbs lb pounds oz shower baby twins gave giving died passed "
        "dying death funeral killed divorce divorced divorcing separated "
        "separation custody married "
        "engaged fiance fiancee miscarriage birth born wedding honeymoon "
                        "obituary condolences boyfriend girlfriend ashes adopted adopting palliative hospice twins "
                        "newborn affair visitation alimony "
                        "decedee decede deces mort funerailles divorce separe separee garde condoleances naissance "
                        "nee ne mariage enceinte perte")
    never = re.compile(
        r"\b(?:movie|novel|character|president|senator|actor|prince|princess|queen|king|founder|bill (?:died|"
        r"passed)|deal (?:died|was)|born (?:again|from|out of)|died down|passed (?:the|a|by|on to|its)|"
                       r"separation (?:agreement|package|of duties)|custody transfer|custody of (?:the "
                       r")?(?:documents?|records?|evidence|files?|gas)|evidence custody|killed the deal|engaged "
                       r"(?:in|by|to (?:perform|provide|work|do|assist|represent))|joke)\b")
    cues = (
        (0.85, "death", compile_cue(
            rf"(?i:\b(?:my|his|her|our|your|their|[a-z]{{2,15}}'s) (?:[a-z-]{{2,10}} "
            rf"){{0,2}}(?:{KIN})\b[^.\n]{{0,40}}\b{_DIED}\b)",
            must=r"\b(?:died|passed|dying|killed|lost|buried)\b")),
        (0.85, "death", compile_cue(
            rf"(?i:\b(?:death|loss|passing|funeral|memorial service) (?:of|for) (?:my|his|her|your|their|"
            rf"[a-z]{{2,15}}'s) (?:[a-z-]{{2,10}} ){{0,2}}(?:{KIN})\b)",
            must=r"\b(?:death|loss|passing|funeral|memorial)\b")),
        (0.85, "death", compile_cue(
            rf"(?i:\b(?:my|his|her|your|[a-z]{{2,15}}'s) (?:[a-z-]{{2,10}} ){{0,2}}(?:{KIN})'s (?:death|funeral|"
            rf"passing|memorial|illness|birth|wedding|divorce|cancer|surgery)\b)",
            must=r"'s\s(?:death|funeral|passing|memorial|illness|birth|wedding|divorce|cancer|surgery)\b")),
        (0.85, "birth-weight", compile_cue(
            r"(?i:\b\d{1,2} ?(?:lbs?|pounds?)\b\.?,? ?(?:and |& )?\d{1,2}(?:\.\d)? ?(?:oz|ozs|ounces)\b)")),
        (0.85, "baby-shower", compile_cue(
            r"(?i:\bbaby shower (?:for|honou?ring|in honou?r of) )(?P<name>[A-Z][a-z]{1,15}(?: [A-Z][a-z]{1,20})?)")),
        (0.85, "divorce", compile_cue(
            r"{who} (?i:(?:[a-z']{1,12} ){0,4}(?:divorced|getting (?:a )?divorce|going through (?:a|an) "
            r"(?:[a-z]{2,9} )?(?:divorce|separation)|separated from|filed for divorce|custody battle|custody "
            r"hearing|broke up with|split up with)\b)")),
        (0.85, "divorce", compile_cue(
            r"{whose} (?i:(?:[a-z-]{2,10} )?(?:divorce|custody (?:case|hearing|battle|arrangement)|ex-wife|"
            r"ex-husband|child support|marriage)\b)")),
        (0.85, "birth", compile_cue(
            r"{who} (?i:(?:[a-z']{1,12} ){0,3}(?:had (?:a|her|their) (?:baby|babies|boy|girl|first|second|third)|"
            r"gave birth|expecting twins|had twins|giving birth|having (?:a baby|twins)|"
            r"(?:expecting|welcomed|welcoming) (?:a|an|their|our|her) (?:[a-z]{2,9} ){0,2}(?:baby|babies|child|boy|"
            r"girl|son|"
            r"daughter|twins|first|second|third|little one))\b)")),
        (0.85, "marriage", compile_cue(
            r"(?i:\b(?:i|we|he|she)(?:'m|'re|'s| am| are| is| have|'ve| just)? (?:[a-z]{2,10} ){0,2}(?:got married|"
            r"getting married|got engaged|eloped|adopted a|is adopting|adopting a))")),
        (0.85, "fr", compile_cue(
            rf"(?i:\b(?:ma|mon|sa|son|la|le) (?:{KIN_FR})(?: d'[a-z]+| de [a-z]+)? (?:est|etait|vient de) "
            rf"(?:decedee?|mort|morte|mourir|deceder))")),
        (0.85, "fr", compile_cue(
            r"(?i:\bcondoleances a\b[^.\n]{0,40}\b(?:perte|deces)\b|\b(?:en plein divorce|est separee? de|j'ai la "
            r"garde des enfants|a la garde (?:des|de ses) enfants|on a perdu (?:notre|le) bebe)\b)")),
        (0.85, "fr", compile_cue(
            r"(?i:\b(?:leur|notre) (?:petit|petite|fils|fille|bebe)\b)[^.\n]{0,20}(?i:\best nee?\b)")),

        (0.85, "split", compile_cue(
            r"{who} (?i:(?:[a-z',]{1,12} ){0,3}(?:(?:is|are|was|got|getting|just|recently|newly) (?:separated|divorced|"
            r"remarried|widowed)|called off the (?:wedding|engagement)|calling off the wedding|split (?:up "
            r")?(?:with|from) "
            r"(?:his|her|my)|splitting up|broke (?:up|it off) with|left (?:her husband|his wife|my (?:husband|wife)|"
            r"him for|"
            r"her for|me for|him and the|her and the)|walked out on (?:his|her|me|my|us)|having an affair|had an "
            r"affair|"
            r"lost (?:the|his|her|my|their|our) (?:baby|mother|father|mom|mum|dad|wife|husband|son|daughter|brother|"
            r"sister|twins))\b)")),
        (0.85, "ex", compile_cue(
            r"(?i:\b(?:my|his|her) ex\b[^.\n]{0,40}\b(?:kids?|children|custody|house|lawyer|lawyers|moved|took|support|"
            r"court|weekends?|boys|girls|son|daughter|condo|visits?)\b)")),
        (0.85, "baby", compile_cue(
            r"{who} (?i:(?:[a-z',]{1,12} ){0,3}(?:had|having|delivered|expecting) (?:the |a |their |our |her "
            r")?(?:[a-z]{2,10} "
            r"){0,1}(?:baby|twins|triplets|baby (?:boy|girl)|little (?:boy|girl)|second child|first child)\b)")),
        (0.85, "baby", compile_cue(
            r"(?i:\b(?:the|our|their|her) (?:baby|twins|little one)\b[^.\n]{0,12}\b(?:came|arrived|was born|were "
            r"born|is here|"
            r"are here|is due|are due|made it)\b)")),
        (0.85, "fr", compile_cue(
            r"{who} (?i:(?:[a-z',]{1,12} ){0,3}(?:a quitte (?:son mari|sa femme|sa blonde|son chum)|s'est "
            r"(?:separee?|remariee?)|"
            r"vient d'accoucher|a accouche|attend (?:un bebe|des jumeaux)|a perdu (?:son|sa|le bebe)|veuve? depuis|"
            r"(?:est|s'est) (?:divorcee?|fiancee?))\b)")),
        (0.85, "fr", compile_cue(
            r"(?i:\b(?:mon|son|ma) ex(?:-(?:mari|femme|conjointe?))?\b[^.\n]{0,40}\b(?:enfants?|garde|maison|avocat|"
            r"pension|"
            r"partie?|quitte)\b)")),

        (0.85, "expecting", compile_cue(
            r"{who} (?i:(?:[a-z',]{1,12} ){0,3}(?:(?:is|are|'re|we're) expecting (?:in|again|another|number)|"
            r"due (?:with (?:her|their|our)|any day now with)|getting married (?:in|on|next|this)|eloped)\b)")),
    )
