-- Since when an item is parked: who looks at the list must see what is new in it. Of the day, like its lease: no fact says it.
ALTER TABLE agenda ADD COLUMN parked_at timestamptz;
-- A rebuild that was broken off before this has tables without the column; it begins again.
DROP SCHEMA IF EXISTS rebuild_agenda CASCADE;
