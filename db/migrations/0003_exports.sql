-- migrate:up

-- A campaign's spreadsheet. The id is the marker by which the spreadsheet is found when its creation got no answer. One that is gone for
-- good is 'lost': its rows say what it held, and the campaign's next export begins another.
create table sheet_exports (
  id uuid primary key default uuidv7(),
  organisation_id uuid not null default current_organisation() references organisations,
  campaign_id uuid not null references campaigns,
  status text not null default 'filling' check (status in ('filling', 'done', 'lost')),
  -- When the provider was last asked to create it; null once that surely came to nothing.
  asked_at timestamptz,
  spreadsheet_id text,
  url text,
  problem text,
  created_at timestamptz not null,
  finished_at timestamptz,
  check ((spreadsheet_id is null) = (url is null)),
  check (status <> 'done' or spreadsheet_id is not null)
);
create unique index sheet_exports_current on sheet_exports (campaign_id) where status <> 'lost';
call isolate_by_organisation('sheet_exports');
grant select, insert, update on sheet_exports to throughline_app;

-- A prospect's row of a spreadsheet, its key there being the prospect's id. 'claimed' is written before the append: the row may be there
-- or not. All rows of a chunk are appended in one call, which names the chunk.
create table sheet_rows (
  organisation_id uuid not null default current_organisation() references organisations,
  export_id uuid not null references sheet_exports,
  prospect_id uuid not null references prospects,
  chunk integer not null check (chunk > 0),
  status text not null default 'claimed' check (status in ('claimed', 'written')),
  claimed_at timestamptz not null,
  written_at timestamptz,
  primary key (export_id, prospect_id),
  check ((status = 'written') = (written_at is not null))
);
create index sheet_rows_claimed on sheet_rows (export_id, chunk) where status = 'claimed';
create index sheet_rows_prospect on sheet_rows (prospect_id);
call isolate_by_organisation('sheet_rows');
grant select, insert, update on sheet_rows to throughline_app;

-- migrate:down

-- Migrations only go forward: a mistake is mended by the next one.
do $$ begin raise exception 'this migration cannot be undone'; end $$;
