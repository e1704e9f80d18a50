-- migrate:up

create table campaigns (
  id uuid primary key default uuidv7(),
  organisation_id uuid not null default current_organisation() references organisations,
  name text not null,
  -- What was asked for. country and export stand beside it as well: they are read far more often than a list of ten thousand sites.
  definition jsonb not null,
  country text not null,
  export jsonb not null,
  status text not null default 'queued'
    check (status in ('queued', 'running', 'paused', 'waiting', 'completed', 'cancelled', 'failed')),
  stage text check (stage in ('search', 'analyse', 'score', 'export', 'enrol')),
  waiting_for text check (waiting_for in ('budget', 'approval', 'repair')),
  problem text,
  -- Counts the workflow's writes, so that a late attempt of an earlier one changes nothing.
  revision integer not null default 0,
  actor text not null,
  started_at timestamptz,
  finished_at timestamptz,
  created_at timestamptz not null,
  check ((status = 'waiting') = (waiting_for is not null))
);
create index campaigns_newest on campaigns (organisation_id, id desc);
call isolate_by_organisation('campaigns');
grant select, insert, update on campaigns to throughline_app;

-- One page of one search. 'asking' is written before the provider is called, with its price in spend; 'refused' means that the provider
-- took nothing for it.
create table searches (
  id uuid primary key default uuidv7(),
  organisation_id uuid not null default current_organisation() references organisations,
  campaign_id uuid not null references campaigns,
  engine text not null check (engine in ('list', 'google', 'google_maps')),
  fingerprint text not null,
  page integer not null,
  status text not null default 'asking' check (status in ('asking', 'refused', 'done', 'failed')),
  asked_at timestamptz not null,
  results integer,
  has_more boolean,
  dropped_directories integer not null default 0,
  dropped_exclusions integer not null default 0,
  dropped_unusable integer not null default 0,
  created_at timestamptz not null default now(),
  unique (campaign_id, fingerprint, page)
);
call isolate_by_organisation('searches');
grant select, insert, update on searches to throughline_app;

-- Every paid call, booked before it is made. Nothing is edited: no update, no delete.
create table spend (
  id uuid primary key default uuidv7(),
  organisation_id uuid not null default current_organisation() references organisations,
  source_key text not null,
  campaign_id uuid references campaigns,
  provider text not null,
  units integer not null check (units > 0),
  at timestamptz not null,
  created_at timestamptz not null default now(),
  unique (organisation_id, source_key)
);
create index spend_campaign on spend (campaign_id);
call isolate_by_organisation('spend');
grant select, insert on spend to throughline_app;

create table prospects (
  id uuid primary key default uuidv7(),
  organisation_id uuid not null default current_organisation() references organisations,
  name text,
  website text,
  phone text,
  address text,
  created_at timestamptz not null default now()
);
call isolate_by_organisation('prospects');
grant select, insert, update on prospects to throughline_app;

-- What makes two findings one business: the registrable domain, or the place where there is no website. The key is claimed first
-- and makes the prospect's id, so that two searches that find one business at the same moment agree; hence the deferred reference.
create table prospect_keys (
  organisation_id uuid not null default current_organisation() references organisations,
  kind text not null check (kind in ('domain', 'place')),
  value text not null,
  prospect_id uuid not null default uuidv7() references prospects deferrable initially deferred,
  primary key (organisation_id, kind, value)
);
create index prospect_keys_prospect on prospect_keys (prospect_id);
call isolate_by_organisation('prospect_keys');
grant select, insert on prospect_keys to throughline_app;

-- Each time a search (or the user's own list) showed the business.
create table sightings (
  organisation_id uuid not null default current_organisation() references organisations,
  search_id uuid not null references searches,
  position integer not null,
  campaign_id uuid not null references campaigns,
  prospect_id uuid not null references prospects,
  primary key (search_id, position)
);
create index sightings_prospect on sightings (prospect_id, campaign_id);
create index sightings_campaign on sightings (campaign_id);
call isolate_by_organisation('sightings');
grant select, insert on sightings to throughline_app;

-- A campaign's look at one prospect: exactly one row for each, whatever is killed when.
create table site_visits (
  organisation_id uuid not null default current_organisation() references organisations,
  campaign_id uuid not null references campaigns,
  prospect_id uuid not null references prospects,
  url text,
  status text not null default 'pending' check (status in ('pending', 'reading', 'done')),
  -- Who reads it: the activity and its attempt. Only the latest claim may record.
  claim text,
  claim_attempt integer,
  claimed_at timestamptz,
  failure text,
  failure_detail text,
  analysis jsonb,
  score integer check (score between 0 and 100),
  reasons jsonb,
  finished_at timestamptz,
  primary key (campaign_id, prospect_id)
);
create index site_visits_pending on site_visits (campaign_id, prospect_id) where status = 'pending';
create index site_visits_reading on site_visits (campaign_id, claimed_at) where status = 'reading';
create index site_visits_prospect on site_visits (prospect_id);
call isolate_by_organisation('site_visits');
grant select, insert, update on site_visits to throughline_app;

-- migrate:down

-- Migrations only go forward: a mistake is mended by the next one.
do $$ begin raise exception 'this migration cannot be undone'; end $$;
