#!/usr/bin/env node
// Committed, so that the package manager can link it before anything is built.
import '../dist/cli/main.js';
