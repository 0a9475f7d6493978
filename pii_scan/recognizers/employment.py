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
        "severed canned axed "
        "employment walked sacked notice warning warnings grievances misconduct harassment renewed renew paid leave "
        "layoff pip "
        "probationary earns makes demotion congedier grief preavis avertissement licencie "
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

        (0.85, "out", compile_cue(
            r"{who} (?i:(?:[a-z',]{1,12} ){0,3}(?:was|were|is|got|been|being|be|gets|getting) (?:[a-z]{2,12} "
            r"){0,1}(?:walked "
            r"out|let go|canned|sacked|axed|written up|escorted out|packaged out|bought out|"
            r"passed over for|put on (?:a |an )?(?:pip|performance (?:plan|improvement)|administrative leave|paid "
            r"leave|"
            r"leave pending)|bumped (?:back|down) to|stripped of)\b)")),
        (0.85, "warned", compile_cue(
            r"{who} (?i:(?:[a-z',]{1,12} ){0,4}(?:on (?:his|her|a) (?:last|final|second|third) (?:warning|chance)|"
            r"(?:written|verbal|final|formal) warning|letter of (?:expectation|reprimand|discipline)|"
            r"harassment complaint|last-chance (?:agreement|contract)|disciplinary (?:meeting|hearing|letter)|"
            r"misconduct (?:hearing|investigation|file|complaint)|unpaid suspension|"
            r"(?:\d{1,2}|two|three|five|ten)[- ]day suspension|performance improvement plan)\b)")),
        (0.85, "not-renewed", compile_cue(
            r"{whose} (?i:(?:[a-z-]{2,12} ){0,2}(?:contract|appointment|term|position|employment|"
            r"probation)\b[^.\n]{0,16}\b"
            r"(?:(?:will|would|won't|was|is|are) (?:not )?(?:be |being )?(?:renewed|extended|terminated|cut short|"
            r"picked up)|not renewed|isn't being renewed|is being ended)\b)")),
        (0.85, "earns", compile_cue(
            r"{who} (?i:(?:[a-z',]{1,12} ){0,3}(?:makes?|earns?|earning|making|gets?|paid|pulls? in|was on|is on|"
            r"started at|"
            r"starts at|hired at|offered|turned down|asking|asks for|wants) (?:[a-z]{1,8} "
            r"){0,2}\$? ?\d{2,3}(?:(?:[,.]| )?\d{3}|"
            r"(?:\.\d\d)?k?)?(?:\$| dollars)? ?(?:a year|per year|an hour|per hour|/ ?hr|/ ?h\b|/ ?hour|/ ?yr|"
            r"annually|base\b|"
            r"plus bonus|de l'heure|par annee|a month|per month))")),
        (0.85, "letter", compile_cue(
            r"(?i:\byour (?:starting |base |annual |gross |new |current )?(?:salary|pay|wage|compensation|"
            r"remuneration) "
            r"(?:will be|is|of|shall be|increases to|goes to)\b[^.\n]{0,24}\$ ?\d)")),
        (0.85, "letter", compile_cue(
            r"(?i:\b(?:your (?:employment|appointment|probation(?:ary period)?) (?:with (?:[a-z]{2,15} ){1,3})?(?:ends|"
            r"ended|is "
            r"terminated|will end|has been terminated|is being terminated|will not be renewed|is not being renewed)|"
            r"you (?:are|were|have been) (?:hereby )?(?:suspended (?:without|with|for)|dismissed|placed on "
            r"(?:administrative |unpaid |paid )?leave)|your (?:second|third|final|written) (?:warning|letter of "
            r"(?:expectation|reprimand)))\b)")),
        (0.85, "grievance", compile_cue(
            r"(?i:\b(?:grievance|harassment complaint|bullying complaint|misconduct complaint|disciplinary action|"
            r"grief)\b"
            r"[^.\n]{0,30}\b(?:by|from|against|of|contre|de) ) ?(?P<name>(?:(?:Mr|Mrs|Ms|Cst|Sgt|Officer|Mme|M)\.? )?"
            r"[A-Z][a-z]{2,15}(?: [A-Z][a-z'-]{1,20})?)")),
        (0.85, "fr", compile_cue(
            r"{who} (?i:(?:[a-z',]{1,12} ){0,4}(?:a depose un grief|ete (?:mise? a la porte|renvoyee?|remerciee?|"
            r"congediee?|"
            r"retrogradee?)|avertissement (?:ecrit|verbal)|suspendue? (?:pour|de|sans)|suspension de|"
            r"mis fin a (?:son|sa|mon|ma)|gagne \d|en probation prolongee)\b)")),
        (0.85, "fr", compile_cue(
            r"(?i:\b(?:son|sa|mon|ma) (?:congediement|mise a pied|licenciement|mesure disciplinaire|lettre "
            r"(?:disciplinaire|de congediement|de suspension)|evaluation de rendement|periode d'essai|prime de "
            r"depart)\b)")),
    )
