"""Debts, garnished wages, loans, cards and tax of a person."""

from __future__ import annotations

import re

from pii_scan.findings import Category
from pii_scan.folding import word_set
from pii_scan.recognizers.wording import NAME, WordingRecognizer, compile_cue

_BILL = (r"(?:rent|mortgage|truck|car|house|condo|payments?|loan|taxes|bills|support|visa|credit card|credit cards|"
        r"place)")


class FinanceRecognizer(WordingRecognizer):
    """Find garnished wages, bankruptcy, debt, overdraft, loans, tax owed, a card by its last digits and the answer
    to a money transfer, told of a person.

    Score 0.85 with a person in the sentence. Business finance (a company's bankruptcy, loan covenants, project
    finance), offers and policies are left alone.

    Source: gov.bc.ca, "Personal Information" (financial); words are ours.
    """

    kind = "finance"
    category = Category.FINANCIAL_ACCOUNT
    citation = "category.financial_account"
    anchors = word_set(
        "garnish garnishee garnisheed garnished garnishment garnisheeing bankrupt bankruptcy insolvent overdraft "
        "overdrawn debt "
        "debts owes owe owed behind collections mortgage remortgage loan loans maxed bounced nsf ending transfer "
        "etransfer "
        "interac virement arrears fmep alimony foreclosure foreclosed repossessed proposal trustee creditors "
        "advance faillite "
        "saisie hypotheque dettes doit endettee endette decouvert retenir visa mastercard amex withhold")
    never = re.compile(
        r"\b(?:project finance|bridge loan|loan agreement|loan facility|covenants?|lenders?|non-?performing|"
        r"bond(?:s|holders)?|"
        r"sovereign|enron (?:corp|bankruptcy)|chapter (?:7|11)|filed for bankruptcy protection|bankruptcy (?:court|"
        r"filing|code|"
        r"judge|trustee|law)|utilit(?:y|ies)|subsidiar\w+|shareholders|the company|low rates?|refinance (?:now|today)|"
        r"pre-?approved|apply (?:now|online|today)|loaner?|on loan|library|are you|provider|leading|paycheck to "
        r"paycheck|drizzle|garnish with)\b")
    cues = (
        (0.85, "garnished", compile_cue(
            r"{who} (?i:(?:[a-z',]{1,12} ){0,5}(?:garnish(?:ee|eed|ed|ment)s?|wages? garnish\w*|wage "
            r"assignment)\b)")),
        (0.85, "garnished", compile_cue(
            r"{whose} (?i:(?:[a-z-]{2,12} ){0,2}(?:wages?|pay|paycheque|salary|cheque)\b[^.\n]{0,24}\b(?:garnish\w*|"
            r"withheld|"
            r"seized|attached by)\b)")),
        (0.85, "garnished", compile_cue(
            rf"(?i:\b(?:garnish(?:ee|eed|ed|ment)s?|wage assignment|requirement to pay|saisie(?:-arret)?(?: sur "
            rf"(?:le |son "
            rf")?salaire)?)\b"
            rf"[^.\n]{{0,40}}\b(?:for|on|against|of|de|contre|sur)) (?P<name>{NAME})")),
        (0.85, "withheld", compile_cue(
            r"(?i:\b(?:withhold|withholding|take|taking|deduct|hold back|retenir|"
            r"retient)\b[^.\n]{0,16}\b\d{1,2} ?(?:%|percent|"
            r"per cent)[^.\n]{0,20}\b(?:of|from|off|de|du|sur)\b[^.\n]{0,12}\b(?:his|her|my|each|every|son|sa|the "
            r"net|la "
            r"paie|le salaire)\b)")),
        (0.85, "debt", compile_cue(
            rf"{{who}} (?i:(?:[a-z',]{{1,12}} ){{0,4}}(?:(?:went|going|gone|is|was|am|declared|declaring|filed for|"
            rf"filing for) "
            rf"(?:bankrupt|bankruptcy|insolvent)|in a consumer proposal|a consumer proposal|overdrawn|in overdraft|"
            rf"(?:two |three |months )?behind on (?:the|his|her|my|their) {_BILL}|in collections|(?:deep |badly |"
            rf"heavily |up to "
            rf"(?:his|her) (?:neck|ears) )?in debt|maxed (?:out )?(?:on|her|his|my)|can't (?:make|pay) (?:the|his|"
            rf"her|my) "
            rf"{_BILL}|losing (?:the|his|her|my) house|lost (?:his|her|my) (?:house|savings|pension)|"
            rf"(?:owes|owe|owed) (?:the )?(?:cra|irs|bank|revenue|taxman|tax|fmep|back taxes|child support|his ex|"
            rf"her ex)|"
            rf"behind (?:on|with) (?:child support|maintenance|support payments))\b)")),
        (0.85, "his-debt", compile_cue(
            r"{whose} (?i:(?:[a-z-]{2,12} ){0,2}(?:student loans?|overdraft|debts?|credit (?:score|rating)|"
            r"bankruptcy|car loan|"
            r"consumer proposal|tax arrears|tax debt|maintenance (?:order|payments)|mortgage (?:payments?|arrears|"
            r"is|application|"
            r"renewal|was)|line of credit|alimony|creditors)\b)")),
        (0.85, "bounced", compile_cue(
            r"(?i:\b(?:my|his|her) (?:[a-z]{2,10} ){0,1}(?:rent|mortgage|cheque|check|payment|"
            r"loyer)\b[^.\n]{0,20}\b(?:bounced|"
            r"nsf)\b|\bbounced (?:my|his|her) (?:rent|mortgage|cheque|payment))")),
        (0.85, "advance", compile_cue(
            r"{who} (?i:(?:[a-z',]{1,12} ){0,4}(?:(?:a |an )?(?:pay|salary|payroll) advance|advance on (?:his|her|"
            r"my) (?:pay|"
            r"salary|wages|cheque|paycheque)|borrow(?:ed|ing)? against (?:the|his|her|my) house)\b)")),
        (0.85, "card-ending", compile_cue(
            r"(?i:\b(?:visa|mastercard|amex|card|carte)\b[^.\n]{0,30}\b(?:ending(?: in)?|ends in|finissant par|se "
            r"terminant "
            r"par) \d{4}\b[^\n]{0,30}(?:\bexp\w*|\bcvv|\d\d ?/ ?\d\d))")),
        (0.85, "transfer-answer", compile_cue(
            r"(?i:\b(?:e-?transfer|etransfer|interac|virement)\b[^\n]{0,120}\b(?:answer|reponse|password|mot de "
            r"passe)\b"
            r"[^.\n]{0,12}(?:\bis|:|=|\best|\bsera|\bwill be) ?['\"]?(?!sent|the|a |your|not)[a-z0-9])")),
        (0.85, "fr", compile_cue(
            r"{who} (?i:(?:[a-z',]{1,12} ){0,4}(?:fait faillite|en faillite|declare faillite|endettee?|saisie sur|"
            r"une proposition de consommateur|doit (?:[a-z0-9]{1,8} ){0,4}(?:a l'impot|d'impots?|au fisc|a revenu)|"
            r"un pret etudiant|a decouvert)\b)")),
        (0.85, "fr", compile_cue(
            r"(?i:\b(?:son|sa|mon|ma|ses|mes) (?:hypotheque|pret etudiant|dettes|faillite|marge de credit|cote de "
            r"credit|"
            r"saisie|arrerages)\b)")),
    )
