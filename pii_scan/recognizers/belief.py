"""Origin, creed, orientation and politics of a person."""

from __future__ import annotations

import re

from pii_scan.findings import Category
from pii_scan.folding import word_set
from pii_scan.recognizers.wording import WordingRecognizer, compile_cue

_CREED = (
    r"(?:muslim|jewish|catholic|hindu|sikh|buddhist|mormon|pentecostal|baptist|jehovah's witness|evangelical|"
    r"atheist|born again|orthodox jew|anglican|lutheran|"
          r"seventh-day adventist|christian|vegan for religious reasons)")
_ORIGIN = (
    r"(?:haida|metis|cree|ojibwe|inuit|first nations|indigenous|aboriginal|african[- ]american|black|hispanic|"
    r"latino|latina|chinese|filipino|punjabi|somali|"
           r"status indian|coast salish|nisga'a|secwepemc|two-spirit)")
_ORIENTATION = r"(?:gay|lesbian|bisexual|transgender|queer|non-?binary)"
_PARTY = r"(?:ndp|liberal|liberals|conservatives?|green party|republicans?|democrats?|communist|bloc|pq|party)"


class BeliefRecognizer(WordingRecognizer):
    """Find race, origin, religion, orientation, union or political activity told of a person.

    Score 0.85 with a pronoun or name as the subject. Public figures' politics, cultural policy and course
    titles are left alone.

    Source: gov.bc.ca, "Personal Information" (race, religion); UK GDPR Article 9 in the UK pack.
    """

    kind = "belief"
    category = Category.RACE_RELIGION_POLITICS
    citation = "category.race_religion_politics"
    anchors = word_set(
        "kosher halal gurdwara shabbat witness witnesses mennonite kippah turban hijab fasts fasting dakelh "
        "secwepemc nisga nlaka stolo tsilhqotin syilx husband wife boyfriend girlfriend greens liberals "
        "conservative liberal caucus "
        "muslim jewish catholic hindu sikh buddhist mormon pentecostal baptist evangelical atheist anglican "
        "lutheran christian jehovah ramadan sabbath temple mosque synagogue church "
                        "haida metis cree ojibwe inuit indigenous aboriginal african hispanic latino latina "
                        "chinese filipino punjabi somali descent origin gay lesbian bisexual transgender "
                        "transitioning queer nonbinary "
                        "ndp conservatives riding communist republican republicans democrat union steward slate "
                        "came juif juive musulman musulmane innue innu congolaise ramadan catholique autochtone "
                        "candidat")
    never = re.compile(
        r"\b(?:governor|senator|congress\w*|minister of|president (?:bush|clinton)|candidates? for (?:governor|"
        r"president|senate)|poll|voters|black (?:ink|box|hills|friday|belt|out)|christian (?:science|name)|chinese "
        r"(?:food|restaurant|market|government)|"
                       r"church (?:street|st|road)|elections? results|course|curriculum|module|training|workshop|"
                       r"awareness)\b")
    cues = (
        (0.85, "creed", compile_cue(rf"{{who}} (?i:(?:is|am|was|'s) (?:an? |the )?(?:[a-z]{{2,12}} )?{_CREED}\b)")),
        (0.85, "creed", compile_cue(
            rf"(?i:\b(?:i'm|he's|she's) (?:an? )?(?:[a-z]{{2,12}} )?(?:{_CREED}|{_ORIGIN}|{_ORIENTATION})\b)")),
        (0.85, "practice", compile_cue(
            r"{who} (?i:(?:[a-z']{1,12} ){0,3}(?:fasting for|observes?|observing|keeps|celebrates?|off for|prays?|"
            r"praying|converted to) (?:[a-z]{1,10} )?(?:ramadan|sabbath|the sabbath|islam|yom kippur|kosher|vesak|"
            r"diwali|lent|mosque|temple|vaisakhi|eid)\b)")),
        (0.85, "origin", compile_cue(
            rf"{{who}} (?i:(?:is|am|was|'s) (?:an? )?(?:[a-z]{{2,12}} )?{_ORIGIN}\b)(?! (?i:restaurant|market|gas|"
            rf"box))")),
        (0.85, "orientation", compile_cue(
            rf"{{who}} (?i:(?:is|am|'s|came out as|identifies as) (?:an? )?{_ORIENTATION}\b)")),
        (0.85, "orientation", compile_cue(r"{who} (?i:came out to )")),
        (0.85, "politics", compile_cue(
            rf"{{who}} (?i:(?:[a-z']{{1,12}} ){{0,2}}(?:running for the|donated to the|campaigning for the|votes?|"
            rf"volunteers? for the|member of the|card[- ]carrying) {_PARTY}\b)")),
        (0.85, "fr", compile_cue(
            r"{who} (?i:(?:[a-z']{1,12} ){0,2}(?:est (?:juive?|musulmane?|catholique|innue?|autochtone|temoin de "
            r"jehovah|bouddhiste)|fait le ramadan|est candidate? (?:liberale?|conservatrice?|conservateur|du "
            r"npd))\b)")),

        (0.85, "creed", compile_cue(
            r"{who} (?i:(?:[a-z',]{1,12} ){0,3}(?:(?:keep|keeps|keeping|eats|eat) (?:strictly )?(?:kosher|halal|"
            r"shabbat|the "
            r"sabbath|sabbath|ramadan)|breaks? (?:his|her) fast|(?:goes|go|going) to (?:the )?(?:gurdwara|mosque|"
            r"synagogue|"
            r"mass|temple on)|wears (?:a|the|her|his) (?:hijab|turban|kippah|niqab)|left the (?:church|congregation|"
            r"witnesses|mormons)|(?:is|are|was) (?:a )?(?:jehovah's )?witness(?:es)?(?= and| so|,|\.)|"
            r"(?:is|was|are) (?:a )?(?:mennonite|hutterite|baha'i|zoroastrian|druze|ismaili|wiccan|quaker)|"
            r"found (?:god|jesus|islam)|converted)\b)")),
        (0.85, "origin", compile_cue(
            r"(?P<name>\b[A-Z][a-z]{2,15} [A-Z][a-z'-]{1,20}),? (?i:(?:is |who is )?(?:a |an )?(?:dakelh|secwepemc|"
            r"nlaka'?pamux|"
            r"st[o']?lo|tsilhqot'?in|syilx|haida|nisga'?a|metis|cree|ojibwe|gitxsan|tlingit|inuk|mohawk)\b)(?! "
            r"(?i:nation|"
            r"band|council|territory|language|government|tribal|health|education|community))")),
        (0.85, "orientation", compile_cue(
            r"{who} (?i:(?:and|with) (?:his (?:husband|boyfriend)|her (?:wife|girlfriend))\b)")),
        (0.85, "politics", compile_cue(
            r"{who} (?i:(?:[a-z',]{1,12} ){0,3}(?:(?:ran|running|stood|standing) (?:for|as an?) (?:the )?(?:ndp|"
            r"greens?|liberals?|"
            r"conservatives?|bloc|republicans?|democrats?|communists?|other party|pq|caq)|knock(?:s|ed|ing) (?:on "
            r")?doors for "
            r"(?:the|them)|carries? a (?:party )?card|card[- ]carrying|(?:a|paid-up|longtime) member of the (?:ndp|"
            r"green|"
            r"liberal|conservative|communist|republican|democratic)|door-?knocking for)\b)")),
        (0.85, "fr", compile_cue(
            r"{who} (?i:(?:[a-z',]{1,12} ){0,3}(?:fait le (?:ramadan|careme)|jeune pour le ramadan|va a la "
            r"(?:mosquee|synagogue|"
            r"messe)|mange (?:casher|halal)|est (?:temoin de jehovah|mennonite|sikhe?|hindoue?|metisse?|gaie?|"
            r"lesbienne|"
            r"homosexuele?)|(?:est|etait) candidate? (?:pour|du|de la)|s'est presentee? pour|milite (?:pour|au))\b)")),
    )
