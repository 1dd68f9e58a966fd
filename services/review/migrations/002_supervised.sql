-- The supervisor's lists are turned page by page: each index has the whole order of its list, so that a page begins where the last one ended.
CREATE INDEX escalations_noted ON escalations (noted_at DESC, stream, version);
CREATE INDEX cases_undrawn ON cases (submitted_at, stream) WHERE ended IS NULL AND confirmed AND drawn IS NULL;
CREATE INDEX cases_suspended ON cases (submitted_at, stream) WHERE ended IS NULL AND suspended;
