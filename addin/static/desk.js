// The desk's keys, reveals and undo bar. Every page works without this file; it only makes it quicker.
"use strict";
