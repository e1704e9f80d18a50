-- migrate:up

-- What was searched for, and what showed the business: null for the user's own list.
alter table searches add column query text, add column location text;
alter table sightings add column is_ad boolean not null default false;
create index searches_newest on searches (organisation_id, id desc);

-- How many searches may be paid for: each calendar month (UTC) by the organisation, and in all by one campaign. Null is no limit of ours.
alter table organisations add column monthly_searches integer default 1000 check (monthly_searches >= 0);
alter table campaigns add column budget_searches integer check (budget_searches >= 0);
create index spend_month on spend (organisation_id, provider, at) include (units);

alter table campaigns add column approval text check (approval in ('sample'));

-- How prospects are scored, one version after the other; where there is none, the rules that come with the code, as version 0.
create table scoring_rules (
  organisation_id uuid not null default current_organisation() references organisations,
  version integer not null check (version > 0),
  rules jsonb not null,
  actor text not null,
  created_at timestamptz not null,
  primary key (organisation_id, version)
);
call isolate_by_organisation('scoring_rules');
grant select, insert on scoring_rules to throughline_app;

-- By which version of the rules the visit's score is.
alter table site_visits add column rules_version integer not null default 0;

-- A campaign that is searched again on a schedule is a saved search: each later run is a campaign of its own. Two
-- that were asked for in one second are due at the same time, so what begins a run is what makes it one: its story in Temporal.
alter table campaigns
  add column saved_search_id uuid references campaigns,
  add column due_at timestamptz,
  add column begun_by text,
  add column previous_id uuid references campaigns,
  add check ((saved_search_id is null) = (due_at is null)),
  add check ((saved_search_id is null) = (begun_by is null));
create unique index campaigns_runs on campaigns (saved_search_id, begun_by);

-- The last request for a run beside those that are due: repeated, it is not refused for the run that it has begun itself.
alter table campaigns add column trigger_request text;

-- What the campaign was last parked for; null once its spreadsheet is there. One that is gone is replaced only after that.
alter table campaigns add column parked_for text;
create index sheet_exports_lost on sheet_exports (campaign_id) where status = 'lost';

-- Against the organisation's last look at the same business, by any campaign.
alter table site_visits
  add column change text check (change in ('new', 'changed', 'same')),
  add column changed text[];

-- What a month's usage is counted from, without a look at the rows themselves.
create index site_visits_month on site_visits (organisation_id, finished_at) where analysis is not null;
create index sheet_rows_month on sheet_rows (organisation_id, written_at) where written_at is not null;

-- migrate:down

-- Migrations only go forward: a mistake is mended by the next one.
do $$ begin raise exception 'this migration cannot be undone'; end $$;
