"""Pay, discipline, evaluation, applications and leaving of a person."""

from __future__ import annotations

import re

from pii_scan.findings import Category
from pii_scan.folding import word_set
from pii_scan.recognizers.wording import WordingRecognizer, compile_cue

_CV = r"(?:resume|resumes|cv|curriculum vitae|c\.v\.)"


class EmploymentRecognizer(WordingRecognizer):
    """Find a CV or application handed over, a person's pay, dismissal, discipline, grievance or appraisal.

    Score 0.85 with a person in the sentence. "Resume" as a verb, offers of recruiters, announcements of
    promotions and arrivals, and policies are left alone.

    Source: gov.bc.ca, "Personal Information" (employment); words are ours.
    """

    kind = "employment"
    category = Category.EMPLOYMENT_HR
    citation = "category.employment_hr"
    anchors = word_set(
        "resume resumes cv vitae salary fired terminated disciplined discipline disciplinary grievance suspended "
        "suspension laid severance resigned demoted reprimand garnished "
                        "bonus raise performance candidate apply applying application candidature salaire congedie "
                        "congediee suspendu suspendue evaluation evaluations renouvelle wages")
    never = re.compile(
        r"\b(?:submit (?:your|a) resumes?|resumes? (?:to|for|online|database|bank|book|drop)|will resume|to resume|"
        r"your resume|resume (?:service|trading|normal|work|operations|talks|discussions|the|our)|resumes "
        r"(?:trading|service)|"
                       r"laid out|laid down|laid back|agreement (?:is|was|be) terminated|contract (?:is|was) "
                       r"terminated|deal (?:is|was)|terminated (?:the|this|our|its) (?:agreement|contract|deal|"
                       r"transaction)|suspended (?:trading|service)|"
                       r"loan|credit application|web application|application (?:server|support|software)|recruiter|"
                       r"job fair|fired (?:plant|generat\w+|unit|boiler)|gas[- ]fired|coal[- ]fired)\b")
    cues = (
        (0.85, "cv", compile_cue(
            rf"(?i:\b(?:attached|attaching|enclosed|here|forward(?:ed|ing)?|sen[dt]|sending|attach|"
            rf"find)\b[^.\n]{{0,40}}\b(?:my|his|her) (?:[a-z]{{2,10}} )?{_CV}\b)")),
        (0.85, "cv", compile_cue(
            rf"(?i:\b(?:my|his|her) (?:[a-z]{{2,10}} )?{_CV} (?:is|are|was) (?:attached|enclosed|below|included)\b)")),
        (0.85, "cv", compile_cue(
            rf"(?i:\b(?:{_CV}) (?:of|for|from)) (?P<name>[A-Z][a-z]{{1,15}} [A-Z][a-z']{{1,20}})")),
        (0.85, "cv", compile_cue(rf"(?P<owner>\b[A-Z][a-z]{{1,15}}(?: [A-Z][a-z']{{1,20}})?'s) (?i:{_CV}\b)")),
        (0.85, "cv", compile_cue(
            rf"(?i:\b(?:{_CV}) ?(?:-|:)) ?(?P<name>[A-Z][a-z]{{1,15}} [A-Z][a-z']{{1,20}})")),
        (0.85, "apply", compile_cue(
            r"(?i:\b(?:i(?:'d| would)? (?:like|want|wish|am interested in|am writing) (?:to )?(?:apply|"
            r"applying)(?: for)?|i am applying for|my application for) (?:[a-z-]{1,15} ){0,6}(?:position|job|"
            r"posting|role|internship|opening)\b)")),
        (0.85, "fired", compile_cue(
            r"{who} (?i:(?:[a-z']{1,12} ){0,3}(?:was|were|got|been|is being|being) (?:[a-z]{2,12} )?(?:fired|laid "
            r"off|let go|disciplined|suspended|demoted|reprimanded|dismissed|terminated|severed)\b)")),
        (0.85, "discipline", compile_cue(
            r"{whose} (?i:(?:[a-z-]{2,12} ){0,2}(?:performance (?:review|evaluation|appraisal|issues?|improvement "
            r"plan)|disciplinary (?:action|hearing|record)|grievance|severance|written warning|termination|"
            r"probation(?:ary)? (?:period|review))\b)")),
        (0.85, "pay", compile_cue(
            r"{whose} (?i:(?:[a-z-]{2,12} ){0,2}(?:salary|base pay|wages?|hourly rate|bonus|raise|compensation|"
            r"pay)\b[^.\n]{0,40}) ?(?:\$ ?\d|\d{2,3}(?:[.,]\d{3}|k\b))")),
        (0.85, "fr", compile_cue(
            r"(?i:\b(?:ci-joint|joint|voici|trouverez)\b[^.\n]{0,20}\bmon (?:cv|curriculum)\b|\bposer ma "
            r"candidature\b)")),
        (0.85, "fr", compile_cue(
            r"{who} (?i:(?:[a-z']{1,12} ){0,3}(?:congediee?|suspendue? (?:\w+ ){0,3}sans solde|mise? a pied|"
            r"licenciee?)\b)")),
        (0.85, "fr", compile_cue(
            r"(?i:\b(?:le|son) salaire (?:de |d')?)(?P<name>[A-Z][a-z]{1,15})?(?i:[^.\n]{0,20}\d{2} ?\d{3})")),
    )
