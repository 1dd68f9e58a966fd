-- When a question was answered: what an agency looks for among its answers, and how it pages through them.
-- Version 2 of the reader `inquiries` builds the rows anew from the log: a row of version 1 does not say when.
ALTER TABLE inquiries ADD COLUMN answered_at timestamptz;
CREATE INDEX inquiries_answered ON inquiries (agency, answered_at DESC, stream DESC, inquiry_id DESC) WHERE state = 'answered';
