"""Planted values that may turn up nowhere. Invented; the number passes its check digit."""

CANARY_SIN = "130 692 544"
CANARY_NAME = "Quillon Zebediah Marchbanks"
CANARY_BIRTH = "1987-04-23"
CANARIES = (CANARY_SIN, CANARY_NAME, CANARY_BIRTH)
