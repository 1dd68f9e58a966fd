-- An agency pages through its open questions too: the index has their whole order, so that each page begins where the last one ended.
DROP INDEX inquiries_of_agency;
CREATE INDEX inquiries_waiting ON inquiries (agency, due_at, stream, inquiry_id) WHERE state = 'open';
