-- migrate:up

-- Three logins. The owner runs this file and, under FORCE, sees no rows afterwards. `throughline_app` serves requests and activities
-- for one organisation at a time. `throughline_system` does what belongs to no request: key look-up, delivery, sweeps.
-- Roles belong to the whole cluster, so another database of it may have made them already.
do $$
declare role_name text;
begin
  foreach role_name in array array['throughline_app', 'throughline_system'] loop
    if not exists (select from pg_roles where rolname = role_name) then
      execute format('create role %I', role_name);
    end if;
  end loop;
end $$;

grant usage on schema public to throughline_app, throughline_system;
grant select on schema_migrations to throughline_app, throughline_system;

-- The organisation of this transaction, set by set_config('app.organisation_id', ..., true); null outside of one. After a commit
-- the setting of a pooled connection reads '' rather than null, hence nullif.
create function current_organisation() returns uuid
  language sql stable parallel safe
  as $$ select nullif(current_setting('app.organisation_id', true), '')::uuid $$;

-- The one form of row-level security: an organisation sees its own rows, the owner none.
create procedure isolate_by_organisation(target regclass) language plpgsql as $$
begin
  execute format('alter table %s enable row level security', target);
  execute format('alter table %s force row level security', target);
  execute format('create policy organisation_rows on %s to throughline_app
    using (organisation_id = current_organisation()) with check (organisation_id = current_organisation())', target);
end $$;

-- Lets the system login past the organisations, where its work needs the table.
create procedure open_to_system(target regclass) language plpgsql as $$
begin
  execute format('create policy system_rows on %s to throughline_system using (true) with check (true)', target);
end $$;

create table organisations (
  id uuid primary key default uuidv7(),
  name text not null check (length(name) between 1 and 200),
  country text not null default 'US' check (country ~ '^[A-Z]{2}$'),
  time_zone text not null default 'UTC',
  is_platform boolean not null default false,
  created_at timestamptz not null default now()
);
create unique index organisations_one_platform on organisations (is_platform) where is_platform;
insert into organisations (name, is_platform) values ('Throughline', true);
alter table organisations enable row level security;
alter table organisations force row level security;
create policy organisation_rows on organisations to throughline_app using (id = current_organisation());
call open_to_system('organisations');
grant select on organisations to throughline_app;
grant select, insert, update on organisations to throughline_system;

create table api_keys (
  id uuid primary key default uuidv7(),
  organisation_id uuid not null default current_organisation() references organisations,
  name text not null,
  secret_hash bytea not null check (length(secret_hash) = 32),
  permissions text[] not null,
  expires_at timestamptz,
  revoked_at timestamptz,
  created_at timestamptz not null default now()
);
call isolate_by_organisation('api_keys');
call open_to_system('api_keys');
grant select, insert, update on api_keys to throughline_system;

-- A request's answer under its Idempotency-Key; without an answer, the request is running until locked_until.
create table idempotency_keys (
  organisation_id uuid not null default current_organisation() references organisations,
  method text not null,
  path text not null,
  key text not null,
  fingerprint text not null,
  locked_until timestamptz not null,
  answer jsonb,
  created_at timestamptz not null default now(),
  primary key (organisation_id, method, path, key)
);
call isolate_by_organisation('idempotency_keys');
grant select, insert, update, delete on idempotency_keys to throughline_app;

-- What Temporal has yet to be told, written in the transaction that makes it true. args carry ids only.
create table outbox (
  id uuid primary key default uuidv7(),
  organisation_id uuid not null default current_organisation() references organisations,
  kind text not null check (kind in ('start')),
  workflow_id text not null,
  name text not null,
  args jsonb not null,
  -- What operators see beside the workflow: what it is about, and a line without personal data.
  subject_id uuid not null,
  summary text not null,
  request_id text not null,
  status text not null default 'pending' check (status in ('pending', 'delivered', 'dead')),
  attempts integer not null default 0,
  next_attempt_at timestamptz not null,
  last_error text,
  delivered_at timestamptz,
  created_at timestamptz not null default now()
);
create index outbox_due on outbox (next_attempt_at) where status = 'pending';
create index outbox_workflow on outbox (workflow_id);
call isolate_by_organisation('outbox');
call open_to_system('outbox');
grant select, insert on outbox to throughline_app;
grant select, update on outbox to throughline_system;

-- What happened in a story, for progress streams and timelines: tens of rows a story, numbered without gaps under its lock.
create table story_events (
  organisation_id uuid not null default current_organisation() references organisations,
  story_id uuid not null,
  seq integer not null,
  type text not null,
  data jsonb not null,
  at timestamptz not null,
  primary key (story_id, seq)
);
call isolate_by_organisation('story_events');
grant select, insert on story_events to throughline_app;

-- migrate:down

-- Migrations only go forward: a mistake is mended by the next one.
do $$ begin raise exception 'this migration cannot be undone'; end $$;
