"""Criminal records, charges and justice of a person."""

from __future__ import annotations

import re

from pii_scan.findings import Category
from pii_scan.folding import word_set
from pii_scan.recognizers.wording import WordingRecognizer, compile_cue

_OFFENCE = (
    r"(?:assault|theft|fraud|dui|dwi|impaired driving|possession|trafficking|manslaughter|murder|robbery|mischief|"
    r"uttering threats|sexual assault|"
            r"domestic violence|drug (?:charge|possession)|break and enter|embezzlement|harassment|arson|"
            r"shoplifting|drunk driving)")

_ARRESTED = r"arretee? pour (?!(?:[a-z]{1,12}|[0-9]{1,3}) (?:jours?|semaines?|mois|ans?)\b)"
"""Arrested for something; a doctor's "arrêté pour trois mois" is sick leave."""


class CriminalRecordRecognizer(WordingRecognizer):
    """Find charges, arrests, convictions, record-check results, probation and youth justice of a person.

    Score 0.85. Policies, scenarios and news on the law are left alone; so is the bare topic.

    Source: FOIPPA 22(3)(b) by way of the pack; words are ours.
    """

    kind = "criminal_record"
    category = Category.CRIMINAL_RECORD
    citation = "category.criminal_record"
    anchors = word_set(
        "cells jailed breathalyzer undertaking "
        "conditions liberte robbery assault theft fraud mischief arson manslaughter trafficking murder "
        "pleaded pled plead charges remand remanded custody served breached impaired crown offence sector crc "
        "discharge blew record bond inside jailed suspects acquitted coupable accusation accusations comparait "
        "absolution facultes liberation "
        "restraining youth offender ycja peace arrested charged convicted conviction convictions criminal "
        "probation parole jail prison incarcerated "
        "pardoned pardon dui dwi felony sentenced "
        "guilty bail clearance warrant youth arrete arretee accuse accusee "
        "condamne condamnee condamnation casier pardon probation antecedents")
    never = re.compile(
        r"\b(?:how to|course (?:on|in)|module|curriculum|statute|bill c-|section \d+ of|instructor'?s? guide|"
        r"training on|complet\w+ (?:a|the) criminal record check (?:form|before)|"
                       r"charged (?:to|for|with (?:the task|responsib\w+|leading|developing))|bail ?out|the suspects?|"
                       r"mock|character|former (?:[a-z]+ ){0,4}minister|mayor|mla|premier|league|reuters|associated "
                       r"press|"
        r"spokes\w+|police said|officials said|prosecutors said|terrorists?|expert witness|temoin expert|comme "
        r"temoin)\b")
    cues = (
        (0.85, "arrested", compile_cue(
            r"{who} (?i:(?:[a-z']{1,12} ){0,3}(?:arrested|incarcerated|convicted|sentenced to|pleaded guilty|pled "
            r"guilty|found guilty|indicted|out on bail|on parole|on probation (?:for|until|order|after)|in jail|in "
            r"prison|did time)\b)")),
        (0.85, "charged", compile_cue(
            rf"{{who}} (?i:(?:[a-z']{{1,12}} ){{0,3}}(?:charged with|accused of|charge of|charges of|convicted of|"
            rf"conviction for|dui|dwi|arrested for|caught) (?:[a-z]{{1,12}} ){{0,2}}{_OFFENCE}\b)")),
        (0.85, "record", compile_cue(
            r"{who} (?i:(?:[a-z']{1,12} ){0,3}(?:has|have|had|with|disclosed|got) (?:[a-z0-9]{1,12} "
            r"){0,2}(?:criminal record|criminal conviction|conviction|dui|dwi|felony|outstanding warrant|"
            r"no-contact order|restraining order|peace bond|pardon)\b)")),
        (0.85, "record-check", compile_cue(
            r"{whose} (?i:(?:[a-z-]{2,12} ){0,1}(?:criminal record check|record check|police check|background "
            r"check|criminal record|security clearance|conviction|parole officer|probation officer|bail "
            r"conditions)\b[^.\n]{0,50}\b(?:came back|clean|clear|shows?|failed|denied|positive|hit|lists?|pending|"
            r"flagged|returned|revealed|for)\b)")),
        (0.85, "record-check", compile_cue(
            r"(?i:(?:security clearance|record check|police check|background check|criminal record "
            r"check)[^.\n]{0,24}\b(?:denied|failed|flagged|adverse|positive|came back|not "
            r"clear))[^.\n]{0,30}(?P<name>"
                                           r"\b[A-Z][a-z]{2,15} [A-Z][a-z]{2,15}\b)")),
        (0.85, "youth-justice", compile_cue(
            r"{who} (?i:(?:[a-z']{1,12} ){0,5}(?:youth (?:custody|court|justice|probation|record|conference order)|"
            r"young offender|ycja (?:order|record|sentence))\b)")),
        (0.85, "fr", compile_cue(
            rf"{{who}} (?i:(?:[a-z']{{1,12}} ){{0,3}}(?:{_ARRESTED}|arretee? (?:par|vendredi|hier)|accusee? de|"
            r"condamnee? (?:pour|a)|en probation|en prison|en liberte conditionnelle)\b)")),
        (0.85, "fr", compile_cue(
            r"(?i:\b(?:casier judiciaire|verification(?: d'antecedents| de casier)?)\b[^.\n]{0,30}\b(?:revele|"
            r"montre|vierge pour|de|pour)\b) (?P<name>(?:M\.|Mme) [A-Z][a-z]{2,15}|[A-Z][a-z]{2,15})")),

        (0.85, "plea", compile_cue(
            r"{who} (?i:(?:[a-z',]{1,12} ){0,4}(?:pleaded|pled|pleads?|pleading) (?:not )?(?:guilty|no contest|out|"
            r"it down|to (?:a lesser|assault|theft|mischief|impaired))\b)")),
        (0.85, "sentence", compile_cue(
            r"{who} (?i:(?:[a-z',]{1,12} ){0,4}(?:(?:did|served|doing|serving|finished|finishing|got|spent|given) "
            r"(?:[a-z-]{1,10} ){0,2}(?:\d{1,2}|an?|one|two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|"
            r"eighteen|"
            r"ninety) (?:and a half )?(?:days?|weekends|months?|years?|nights?) (?:less a day|inside|in (?:jail|prison|"
            r"custody|county|cells|remand|federal|provincial|the pen|a federal|youth)|of (?:house arrest|probation)|"
            r"house arrest|probation|conditional|on remand|for (?:assault|theft|fraud|robbery|impaired|drugs?|"
            r"trafficking|possession|manslaughter|arson|mischief))))\b")),
        (0.85, "sentenced", compile_cue(
            r"{who} (?i:(?:[a-z',]{1,12} ){0,4}(?:sentenced|remanded|paroled|jailed|acquitted|found not guilty|"
            r"(?:absolute|conditional) discharge|conditional sentence|suspended sentence|record suspension|"
            r"community (?:service|hours)(?: order)? (?:until|till|for|after|because)|"
            r"out on conditions|on conditions until|released on (?:bail|conditions|an undertaking|a promise)|"
            r"on house arrest|blew (?:over|a warn|a fail)|failed the breathalyzer|breached (?:his|her) (?:probation|"
            r"bail|conditions|no-contact|parole)|up on charges|facing (?:[a-z]{2,10} ){0,2}charges?|"
            r"facing (?:a|an) (?:assault|theft|fraud|impaired|trial)|"
            r"wanted on a warrant|on a warrant|has a (?:record|criminal past)|did time|under a peace bond|"
            r"a peace bond|in youth court|no-contact order|in remand|in custody)\b)")),
        (0.85, "charged", compile_cue(
            r"{who} (?i:(?:[a-z',]{1,12} ){0,3}(?:was|were|is|been|got|being|gets) (?:[a-z]{2,12} ){0,1}charged "
            r"(?:on the "
            r"weekend|on (?:mon|tues|wednes|thurs|fri|satur|sun)day|last (?:week|month|year|night|fall|spring|summer|"
            r"winter)|yesterday|in court|again (?:last|this|after|with)|after (?:a|the) (?:fight|crash|party|stop|"
            r"domestic)|"
            r"by (?:the )?(?:police|rcmp|crown)|under the (?:criminal code|youth|ycja|controlled)|with "
            r"(?:[a-z]{1,12} ){0,2}"
            r"(?:crime|offence|offense|felony|misdemeanou?r|count|counts|impaired|domestic|sexual|uttering|breaking|"
            r"stealing|obstruct\w+|breach\w*))\b)")),
        (0.85, "record-check", compile_cue(
            r"(?P<owner>\b(?!(?:It|That|What|Here|There|Today)\b)[A-Z][a-z]{2,15}'s) (?i:(?:[a-z-]{2,12} ){0,3}"
            r"(?:came|has come|is|was) back (?:with|not clean|positive|dirty|showing|flagged|marked))")),
        (0.85, "record-check", compile_cue(
            r"(?i:\b(?:his|her|my|your) (?:[a-z-]{2,12} ){0,2}(?:record check|police (?:information )?check|crc|"
            r"vulnerable sector (?:check|search|result|screening)|background check|fingerprints|"
            r"clearance)\b[^.\n]{0,50}"
            r"\b(?:not clean|isn't clean|wasn't clean|not clear|isn't clear|a hit|hits?|came back|adverse|refused|"
            r"flagged|shows?|match|turned up))")),
        (0.6, "record-check", compile_cue(
            r"(?i:\b(?:vulnerable sector|record check|police information check|criminal check|"
            r"crc)\b[^.\n]{0,60}\b(?:not "
            r"clean|isn't clean|wasn't clean|came back (?:with|not|positive|dirty)|a hit\b|possible match|adverse "
            r"result|"
            r"prints requested))")),
        (0.85, "charge", compile_cue(
            rf"(?i:\b(?:crown|prosecutor|police|rcmp|court) (?:has |have )?(?:approved|laid|stayed|dropped|recommended|"
            rf"is considering)\b[^.\n]{{0,30}}\b(?:charges?|counts?)\b[^.\n]{{0,40}}\b(?:{_OFFENCE}|against (?:him|"
            rf"her|my|"
            rf"his)))")),
        (0.85, "his-record", compile_cue(
            r"{whose} (?i:(?:[a-z-]{2,12} ){0,2}(?:conviction|parole|probation order|bail (?:hearing|conditions)|"
            r"bail|absolute discharge|conditional discharge|record suspension|pardon|impaired charge|assault charge|"
            r"guilty plea|jail (?:time|sentence)|prison sentence|criminal (?:record|past|history|charges?)|"
            r"youth record|no-contact order|peace bond|mugshot|court date for|outstanding warrant)\b)")),
        (0.85, "record", compile_cue(
            rf"(?i:\b(?:conviction|convicted|sentenced|charged|guilty)\b[^.\n]{{0,30}}\b(?:s\. ?\d{{2,3}}|{_OFFENCE}))"
            rf"[^.\n]{{0,60}}(?i:\b(?:he|she|his|her|my (?:son|daughter|nephew|brother|husband|wife|ex)))\b")),
        (0.85, "fr", compile_cue(
            r"{who} (?i:(?:[a-z',]{1,12} ){0,4}(?:plaide coupable|reconnue? coupable|condamnee? [ap]|accusee? (?:de|d'|"
            r"en)|en liberte (?:conditionnelle|sous caution)|en detention|en probation|comparait|"
            r"absolution (?:conditionnelle|inconditionnelle)|purge sa peine|"
            rf"{_ARRESTED}|"
            r"un casier(?: judiciaire)?|un dossier criminel)\b)")),
        (0.85, "fr", compile_cue(
            r"(?i:\b(?:son|sa|mon|ma) (?:casier judiciaire|condamnation|agent de probation|peine de prison|"
            r"liberation conditionnelle|absolution|comparution|proces pour|accusation de|mandat d'arrestation)\b)")),
    )
