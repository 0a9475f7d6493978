"""Health of a person."""

from __future__ import annotations

import re

from pii_scan.findings import Category
from pii_scan.folding import word_set
from pii_scan.recognizers.wording import WordingRecognizer, compile_cue

_ILLNESS = (
    r"(?:cancer|leukemia|lymphoma|tumou?r|chemo(?:therapy)?|radiation treatments?|heart attack|stroke|seizures?|"
    r"epilepsy|diabetes|diabetic|"
            r"depression|anxiety disorder|panic attacks?|bipolar|ptsd|adhd|autism|dyslexia|concussion|pneumonia|"
            r"bronchitis|migraines?|mono|meningitis|"
            r"hepatitis|hiv|asthma|arthritis|ms|hernia|appendicitis|gallbladder|kidney stones?|the flu|strep(?: "
            r"throat)?|chicken pox|shingles|"
            r"an? (?:miscarriage|stroke|concussion|heart attack|breakdown|fever|slipped disc|herniated disc|brain "
            r"tumou?r|nut allergy|peanut allergy))")
_PROCEDURE = (
    r"(?:surgery|knee (?:surgery|replacement)|hip replacement|back surgery|heart surgery|biopsy|mri|cat scan|ct "
    r"scan|ultrasound|c-section|"
              r"hysterectomy|mastectomy|transplant|bypass|chemo(?:therapy)?|root canal|colonoscopy|dialysis|"
              r"physio(?:therapy)?|rehab|medical procedure|"
              r"amputation|vasectomy|angioplasty|x-rays?)")
_BODY = (
    r"(?:arm|leg|ankle|wrist|hip|collarbone|foot|shoulder|knee|hand|finger|toe|nose|ribs?|back|neck|jaw|tooth|acl|"
    r"hamstring|achilles)"
)
_LEAVE = (
    r"(?:sick|medical|maternity|stress|disability|parental|short-term disability|long-term disability|"
    r"compassionate|bereavement)"
)


class HealthRecognizer(WordingRecognizer):
    """Find illness, injury, treatment, pregnancy, disability or sick leave told of a person.

    A person and a predicate must stand in one sentence; policies, studies, scenarios and offers cancel it.
    Score 0.85. English, and the common French forms.

    Source: FOIPPA 22(3)(a) by way of the pack; words are ours.
    """

    kind = "health"
    category = Category.HEALTH
    citation = "category.health"
    anchors = word_set(
        "trauma icu er "
        "operation operated surgeon oncologist cardiologist psychologist therapist counsellor detox relapsed "
        "overdosed suicide suicidal methadone suboxone lithium insulin thinners crutches pacemaker lump seizing "
        "fainted dementia alzheimer alzheimer's parkinson's parkinsons crohn's lupus celiac coeliac doctor biopsy "
        "limp bedridden panic rehab therapy physio operer accouche malade fracture cardiaque avc "
        "surgery diagnosed diagnosis chemo chemotherapy cancer leukemia lymphoma tumor tumour hospital "
        "hospitalized hospitalised icu pregnant pregnancy "
        "miscarriage miscarried depression sick illness injured injury disability stroke seizure seizures epilepsy "
        "diabetes diabetic concussion pneumonia migraine migraines "
        "flu broke fractured sprained tore maternity stress medical rehab biopsy mri ultrasound transplant "
        "antibiotics medication allergic inhaler wheelchair "
        "bipolar ptsd adhd dyslexia autism breakdown heart asthma hernia transplant dialysis bronchitis "
        "labor labour induced ill fever "
        "enceinte opere operee cancer hospitalise hospitalisee maladie arret hopital depression grossesse "
        "epilepsie diabete chirurgie grippe tdah "
        "diagnostique diagnostiquee allergique burnout epuisement wcb worksafe worksafebc "
        "psychiatrist")
    never = re.compile(
        r"\b(?:sick and tired|sick of|market|labor market|sick days? (?:per|policy|accrual)|cancer (?:society|"
        r"research|walk|foundation|awareness|benefit)|"
                       r"walk for|race for|blood drive|flu shots?|flu clinic|novel|movie|heart of|due (?:date|"
                       r"diligence) for|insurance|podcast|nhl|celebrit\w+|prospectus|open enrollment|"
                       r"fund-?raiser|pups|puppies|litter|foal|mare|kittens|whelp\w*|the dog|vet|k-?9|my diagnosis:)\b")
    cues = (
        (0.85, "because-of", compile_cue(
            rf"{{who}} (?i:(?:[a-z0-9',-]{{1,14}} ){{0,12}}(?:unable|couldn't|could not|cannot|can't|absent|missed|"
            rf"miss|misses|excused|away|off|withdrew|unavailable|late|deferred|postponed|fail(?:ed|s)? to|did not|"
            rf"didn't|won't|will not) (?:[a-z0-9',-]{{1,14}} ){{0,10}}(?:because of|due to|owing to|on account of|"
            rf"following|after) (?:an? |his |her |their |my |the )?(?:[a-z-]{{1,14}} ){{0,2}}(?:{_PROCEDURE}|operation|"
            rf"{_BODY} (?:operation|injury|problem|fracture)|injury|illness|concussion|fracture|"
            rf"medical (?:condition|issue|reasons?|emergency)|health (?:reasons?|issues?|problems?)|{_ILLNESS})\b"
            r"(?! (?:of|review|plan|centre|center|team|manager)))",
            must=r"\b(?:because|due|owing|account|following|after)\b")),
        (0.85, "diagnosed", compile_cue(
            r"{who} (?i:(?:[a-z']{1,12} ){0,3}(?:diagnosed|hospitali[sz]ed|miscarried)\b)")),
        (0.85, "hospital", compile_cue(
            r"{who} (?i:(?:[a-z']{1,12} ){0,4}(?:in|to|into|from|out of) (?:the |a |intensive )?(?:hospital|icu|"
            r"intensive care|rehab|emergency room|er|trauma unit|palliative care|hospice)\b)")),
        (0.85, "surgery", compile_cue(
            rf"{{who}} (?i:(?:[a-z']{{1,12}} ){{0,3}}(?:had|has|have|having|undergo\w*|underwent|needs?|scheduled "
            rf"for|recover\w+ from|going in for|booked for|getting) (?:[a-z-]{{1,12}} ){{0,3}}{_PROCEDURE}\b)")),
        (0.85, "surgery", compile_cue(
            rf"{{whose}} (?i:(?:[a-z-]{{2,12}} ){{0,2}}(?:{_PROCEDURE}|pregnancy|miscarriage|diagnosis|illness|"
            rf"chemo(?:therapy)?|medical (?:condition|leave|appointment|issues?)|seizures?|depression|cancer|heart "
            rf"attack|stroke|concussion)\b)")),
        (0.85, "illness", compile_cue(
            rf"{{who}} (?i:(?:[a-z']{{1,12}} ){{0,2}}(?:has|have|had|having|suffer\w*(?: from)?|battl\w+|fighting|"
            rf"developed|got|caught|lives? with|come down with|came down with) (?:[a-z-]{{1,12}} "
            rf"){{0,2}}{_ILLNESS}\b)")),
        (0.85, "pregnant", compile_cue(
            r"{who} (?i:(?:[a-z']{1,12} ){0,3}(?:pregnant|in labou?r|bedridden|on bed ?rest|going into labou?r|"
            r"being induced|induced this)\b)")),
        (0.85, "leave", compile_cue(
            rf"{{who}} (?i:(?:[a-z']{{1,12}} ){{0,4}}(?:on|for|begin|start|taking|take|beginning) "
            rf"(?:[a-z-]{{1,10}} ){{0,1}}{_LEAVE} leave\b)")),
        (0.85, "leave", compile_cue(
            r"{whose} (?i:(?:sick|medical|maternity|stress|disability|short-term disability|long-term "
            r"disability) leave\b)")),
        (0.85, "sick", compile_cue(
            r"{who} (?i:(?:[a-z']{1,12} ){0,3}(?:out sick|off sick|home sick|been (?:very |really |so )?(?:sick|"
            r"ill)|called in sick|sick today|very sick|very ill(?! minded)|seriously ill|terminally ill|sick (?:with|"
            r"yesterday|as a dog)|ill with|feeling ill)\b)")),
        (0.85, "injury", compile_cue(
            rf"{{who}} (?i:(?:[a-z']{{1,12}} ){{0,2}}(?:broke|fractured|sprained|tore|injured|dislocated|ruptured) "
            rf"(?:my|his|her|an?) (?:[a-z]{{1,10}} ){{0,2}}{_BODY}\b)")),
        (0.85, "medication", compile_cue(
            r"{who} (?i:(?:[a-z']{1,12} ){0,3}(?:on|taking|takes|prescribed|carries|needs) (?:[a-z-]{1,12} "
            r"){0,2}(?:antibiotics|medication|anti-?depressants|insulin|chemo|inhaler|epipen|painkillers|"
            r"wheelchair)\b)")),
        (0.8, "disability", compile_cue(
            r"{who} (?i:(?:[a-z']{1,12} ){0,5}(?:long-term disability|short-term disability|disability claim|"
            r"disability accommodation|medical accommodation|(?:wcb|worksafe(?:bc)?) claim)\b)")),
        (0.85, "fr", compile_cue(
            r"(?:{who}) (?i:(?:[a-z']{1,12} ){0,3}(?:enceinte|operee?|hospitalisee?|en arret (?:de travail|"
            r"maladie)|en conge (?:de )?maladie|diagnostiquee?|allergique)\b)")),
        (0.85, "fr", compile_cue(
            r"(?i:(?:\b(?:j'ai|a|elle a|il a|fait de|souffre d'une?|souffre de) )(?:la |le |l'|de l'|une? "
            r")?(?:grippe|cancer|epilepsie|diabete|depression|hernie|commotion)\b)")),
        (0.85, "fr", compile_cue(
            r"(?i:\b(?:son|mon) cancer\b|\b(?:je suis|elle est|il est) en (?:arret|conge) (?:de )?(?:travail|"
            r"maladie)\b|s'est fait operer)")),

        (0.85, "treated", compile_cue(
            r"{who} (?i:(?:[a-z',]{1,12} ){0,4}(?:waiting (?:for|on) (?:his|her|my|the) (?:biopsy|scan|mri|blood|"
            r"test results)|"
            r"under the knife|(?:an|another|the|his|her|my) operation (?:on|next|last|was|is)|operated on|in "
            r"palliative|in "
            r"detox|in rehab|(?:went|going|goes|gone|go|back) (?:in ?to|to) (?:rehab|detox)|drinking again|relapsed|"
            r"overdosed|"
            r"suicidal|(?:tried|attempted) (?:suicide|to (?:kill|hurt|harm) (?:himself|herself|myself))|"
            r"(?:on|takes|taking) (?:methadone|suboxone|lithium|insulin|blood thinners|beta blockers|"
            r"antidepressants|oxygen|"
            r"crutches)|(?:has|have|had|found|got) (?:a )?(?:pacemaker|stents?|lump|brain bleed)|"
            r"(?:having|had|has|gets?) (?:seizures|panic attacks|fainting spells|blackouts)|"
            r"(?:seeing|sees|saw) (?:a |an |his |her |my )?(?:therapist|psychologist|psychiatrist|oncologist|"
            r"cardiologist|"
            r"neurologist|counsellor for|fertility)|(?:has|with|have) (?:early |early-onset |early onset )?(?:dementia|"
            r"alzheimer's|parkinson's|crohn's|lupus|celiac|coeliac|als)|in physio|chemo round|on dialysis)\b)")),
        (0.85, "his-treatment", compile_cue(
            r"{whose} (?i:(?:[a-z-]{2,12} ){0,1}(?:oncologist|cardiologist|psychologist|psychiatrist|therapist|biopsy|"
            r"parkinson's|dementia|alzheimer's|relapse|overdose|panic attacks|insulin|pacemaker|addiction|rehab|"
            r"operation (?:is|was|went|on)|blood pressure (?:is|was)|heart condition|hearing loss)\b)")),
        (0.85, "doctor", compile_cue(
            r"(?i:\b(?:my|his|her) (?:doctor|surgeon|gp|specialist|medecin)(?:'s| has| have)? (?:[a-z]{2,10} "
            r"){0,2}?(?:put|says?|said|wants?|"
            r"told|found|thinks|ordered|took|signed|booked|sent) (?:me|him|her|it's|to|no|i|he|she|something|a lump|"
            r"more "
            r"tests)\b)")),
        (0.85, "fr", compile_cue(
            r"{who} (?i:(?:[a-z',]{1,12} ){0,4}(?:se (?:fait|faire) operer|a fait (?:un avc|une crise cardiaque|une "
            r"depression)|"
            r"suit une therapie|en desintox|s'est (?:fracture|casse) (?:le|la|un)|malade depuis|sous methadone|"
            r"en chimio)\b)")),
    )
