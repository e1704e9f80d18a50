-- migrate:up

-- Whom we write to. One row a person and organisation; what is known of them beyond this lies in properties.
create table contacts (
  id uuid primary key default uuidv7(),
  organisation_id uuid not null default current_organisation() references organisations,
  external_id text check (length(external_id) between 1 and 200),
  email text check (length(email) <= 320),
  phone text check (phone ~ '^\+[1-9][0-9]{6,14}$'),
  -- As in suppressions: of the address of now, so that those who share it are found.
  email_hash bytea check (length(email_hash) = 32),
  phone_hash bytea check (length(phone_hash) = 32),
  country text check (country ~ '^[A-Z]{2}$'),
  time_zone text,
  language text,
  properties jsonb not null default '{}',
  prospect_id uuid references prospects,
  erased_at timestamptz,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  check ((email is null) = (email_hash is null)),
  check ((phone is null) = (phone_hash is null))
);
create unique index contacts_external_id on contacts (organisation_id, external_id);
create unique index contacts_prospect on contacts (organisation_id, prospect_id);
create index contacts_email on contacts (organisation_id, email_hash);
create index contacts_phone on contacts (organisation_id, phone_hash);
create index contacts_newest on contacts (organisation_id, id desc);
call isolate_by_organisation('contacts');
grant select, insert, update on contacts to throughline_app;

-- What a person agreed to or took back, with its proof. Nothing is edited: the newest of a channel and purpose counts.
create table consents (
  id uuid primary key default uuidv7(),
  organisation_id uuid not null default current_organisation() references organisations,
  contact_id uuid not null references contacts,
  channel text not null check (channel in ('email', 'sms', 'whatsapp', 'voice')),
  purpose text not null check (purpose in ('marketing', 'transactional')),
  state text not null check (state in ('granted', 'withdrawn')),
  -- The very words, their version, and where they were agreed to.
  text text,
  text_version text,
  source text not null,
  given_at timestamptz not null,
  actor text not null,
  created_at timestamptz not null default now()
);
create index consents_contact on consents (contact_id, channel, purpose, given_at desc, id desc);
call isolate_by_organisation('consents');
grant select, insert on consents to throughline_app;

-- Addresses nobody may write to, kept by keyed hash, so that they outlive the contact. No purpose means every purpose.
create table suppressions (
  id uuid primary key default uuidv7(),
  organisation_id uuid not null default current_organisation() references organisations,
  channel text not null check (channel in ('email', 'sms', 'whatsapp', 'voice')),
  address_hash bytea not null check (length(address_hash) = 32),
  purpose text check (purpose in ('marketing', 'transactional')),
  reason text not null check (reason in ('unsubscribed', 'opt_out', 'hard_bounce', 'complaint', 'manual')),
  -- What brought it about: an inbound event, an unsubscribe link, a key.
  actor text not null,
  contact_id uuid references contacts,
  lifted_at timestamptz,
  lifted_by text,
  created_at timestamptz not null default now()
);
create unique index suppressions_address on suppressions (organisation_id, channel, address_hash, purpose)
  nulls not distinct where lifted_at is null;
create index suppressions_newest on suppressions (organisation_id, id desc);
call isolate_by_organisation('suppressions');
grant select, insert, update on suppressions to throughline_app;

-- Here and in the other tables that grow with every message, organisation_id refers to nothing: what the row belongs to does, row-level security
-- holds the two together, and each of a hundred rows a transaction would lock the organisation's one row once more.

-- Facts about a person, in any order: what providers report, what users tell of, what was decided about them and why.
create table contact_events (
  id uuid primary key default uuidv7(),
  organisation_id uuid not null default current_organisation(),
  contact_id uuid not null references contacts,
  type text not null,
  data jsonb not null default '{}',
  -- The same fact told twice is one: 'inbound/{event}', 'request/{id}', 'defer/{enrolment}/{step}/...'.
  source_key text not null,
  enrolment_id uuid,
  message_id uuid,
  occurred_at timestamptz not null,
  created_at timestamptz not null default now(),
  unique (organisation_id, source_key)
);
create index contact_events_contact on contact_events (contact_id, occurred_at, id);
create index contact_events_enrolment on contact_events (enrolment_id, type);
call isolate_by_organisation('contact_events');
grant select, insert on contact_events to throughline_app;

-- When the organisation may write to people at all; where there is no row, the policy that comes with the code.
create table policies (
  organisation_id uuid primary key default current_organisation() references organisations,
  policy jsonb not null,
  paused_at timestamptz,
  actor text not null,
  updated_at timestamptz not null
);
call isolate_by_organisation('policies');
grant select, insert, update on policies to throughline_app;

-- From whom messages go out. The rate is exact over all workers: next_slot_at is when the next message may go.
create table senders (
  id uuid primary key default uuidv7(),
  organisation_id uuid not null default current_organisation() references organisations,
  channel text not null check (channel in ('email', 'sms', 'whatsapp', 'voice')),
  provider text not null,
  name text not null check (length(name) between 1 and 200),
  address text not null check (length(address) between 1 and 320),
  reply_to text,
  -- What the law wants at the foot of an e-mail.
  postal_address text,
  -- Null is no limit of ours.
  rate_per_second numeric check (rate_per_second > 0),
  next_slot_at timestamptz not null default '-infinity',
  paused_at timestamptz,
  created_at timestamptz not null default now()
);
create index senders_newest on senders (organisation_id, id desc);
-- Where an answer arrives, whoever's it is.
create index senders_reply_to on senders (lower(coalesce(reply_to, address)));
call isolate_by_organisation('senders');
call open_to_system('senders');
grant select, insert, update on senders to throughline_app;
grant select on senders to throughline_system;

create table sequences (
  id uuid primary key default uuidv7(),
  organisation_id uuid not null default current_organisation() references organisations,
  name text not null check (length(name) between 1 and 200),
  status text not null default 'draft' check (status in ('draft', 'live', 'paused', 'archived')),
  -- The newest, which people enter.
  version integer not null check (version > 0),
  actor text not null,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now()
);
create index sequences_newest on sequences (organisation_id, id desc);
call isolate_by_organisation('sequences');
grant select, insert, update on sequences to throughline_app;

create table sequence_versions (
  organisation_id uuid not null default current_organisation() references organisations,
  sequence_id uuid not null references sequences,
  version integer not null check (version > 0),
  definition jsonb not null,
  -- What is asked for without reading steps and templates.
  sender_id uuid generated always as ((definition ->> 'senderId')::uuid) stored,
  purpose text generated always as (definition ->> 'purpose') stored,
  entry text generated always as (definition ->> 'entry') stored,
  goal text generated always as (definition ->> 'goal') stored,
  exit_on jsonb generated always as (definition -> 'exitOn') stored,
  has_messages boolean generated always as (jsonb_path_exists(definition, '$.steps[*] ? (@.type == "message")')) stored,
  actor text not null,
  created_at timestamptz not null,
  primary key (sequence_id, version)
);
create index sequence_versions_sender on sequence_versions (sender_id);
call isolate_by_organisation('sequence_versions');
grant select, insert on sequence_versions to throughline_app;

-- Up to 500 people whom one workflow carries through a sequence. Whoever enters takes the next seat of the open one.
create table cohorts (
  id uuid primary key default uuidv7(),
  organisation_id uuid not null default current_organisation() references organisations,
  sequence_id uuid not null references sequences,
  -- Seats are numbered from 1; the workflow knows people by them.
  size integer not null default 0,
  closed_at timestamptz,
  created_at timestamptz not null
);
create unique index cohorts_open on cohorts (sequence_id) where closed_at is null;
call isolate_by_organisation('cohorts');
grant select, insert, update on cohorts to throughline_app;

create table enrolments (
  id uuid primary key default uuidv7(),
  organisation_id uuid not null default current_organisation(),
  sequence_id uuid not null references sequences,
  contact_id uuid not null references contacts,
  cohort_id uuid not null references cohorts,
  seat integer not null check (seat > 0),
  -- The version stays, whatever is saved meanwhile.
  version integer not null,
  status text not null default 'active' check (status in ('active', 'paused', 'held', 'completed', 'exited')),
  reason text,
  -- Where the person is and since when; null before the first step.
  step_key text,
  arrived_at timestamptz,
  -- Every step that was come to, in order.
  visited text[] not null default '{}',
  due_at timestamptz,
  -- The types of events that end the wait.
  waiting_for text[],
  -- Who asked for it: 'key:{id}', 'campaign/{id}'.
  source text not null,
  created_at timestamptz not null,
  ended_at timestamptz,
  unique (cohort_id, seat)
);
create unique index enrolments_running on enrolments (sequence_id, contact_id) where status in ('active', 'paused', 'held');
create index enrolments_contact on enrolments (contact_id, id);
create index enrolments_newest on enrolments (sequence_id, id desc);
call isolate_by_organisation('enrolments');
grant select, insert, update on enrolments to throughline_app;

-- One call of a provider with many messages. Under its key the same call may be repeated while the provider remembers it.
create table send_batches (
  id uuid primary key,
  organisation_id uuid not null default current_organisation(),
  sender_id uuid not null references senders,
  provider_key text not null,
  -- When the provider may first have heard of the key: its memory is counted from here.
  first_called_at timestamptz not null,
  created_at timestamptz not null default now()
);
call isolate_by_organisation('send_batches');
grant select, insert on send_batches to throughline_app;

-- Everything that leaves, whoever asked, once per act.
create table messages (
  id uuid primary key default uuidv7(),
  organisation_id uuid not null default current_organisation(),
  act_key text not null,
  contact_id uuid not null references contacts,
  channel text not null check (channel in ('email', 'sms', 'whatsapp', 'voice')),
  purpose text not null check (purpose in ('marketing', 'transactional')),
  sender_id uuid references senders,
  enrolment_id uuid references enrolments,
  sequence_id uuid references sequences,
  step_key text,
  -- To whom it went, as in suppressions.
  address_hash bytea,
  -- The exact message as it is handed to the provider's client, members of a batch in their order: a text that is kept as it
  -- is, since the repetition of a call has to be the same to the letter.
  rendered json,
  batch_id uuid references send_batches,
  position integer,
  status text not null check (status in ('planned', 'sending', 'unconfirmed', 'sent', 'skipped', 'rejected', 'expired')),
  reason text,
  -- Who may record the outcome.
  claim uuid,
  claimed_at timestamptz,
  provider_message_id text,
  unconfirmed_at timestamptz,
  -- What the provider said when asked for it: found, not_found, not_possible.
  look_up text,
  sent_at timestamptz,
  -- Facts that come afterwards, in any order.
  delivered_at timestamptz,
  bounced_at timestamptz,
  complained_at timestamptz,
  opened_at timestamptz,
  clicked_at timestamptz,
  replied_at timestamptz,
  created_at timestamptz not null,
  unique (organisation_id, act_key)
);
create index messages_contact on messages (contact_id, claimed_at desc);
create index messages_enrolment on messages (enrolment_id, id);
create index messages_sequence on messages (sequence_id, step_key);
create index messages_batch on messages (batch_id, position);
create index messages_provider_id on messages (provider_message_id) where provider_message_id is not null;
create index messages_unsettled on messages (organisation_id, status, id) where status in ('planned', 'sending', 'unconfirmed');
create index messages_newest on messages (organisation_id, id desc);
call isolate_by_organisation('messages');
call open_to_system('messages');
grant select, insert, update on messages to throughline_app;
grant select on messages to throughline_system;

-- What providers told us, as it came, once for each organisation that it concerns. Without one: nobody knows whom.
create table inbound_events (
  id uuid primary key default uuidv7(),
  organisation_id uuid default current_organisation() references organisations,
  provider text not null,
  provider_event_id text not null,
  type text not null,
  payload jsonb not null,
  status text not null check (status in ('pending', 'delivered', 'ignored', 'unmatched', 'dead')),
  occurred_at timestamptz,
  received_at timestamptz not null,
  unique nulls not distinct (provider, provider_event_id, organisation_id)
);
create index inbound_events_newest on inbound_events (organisation_id, id desc);
call isolate_by_organisation('inbound_events');
call open_to_system('inbound_events');
grant select, insert, update on inbound_events to throughline_app, throughline_system;

-- A story may also be told of something, which starts it where it does not run yet.
alter table outbox drop constraint outbox_kind_check;
alter table outbox
  add column signal text,
  add column signal_args jsonb,
  add constraint outbox_kind_check check (kind in ('start', 'signal')),
  add check ((kind = 'signal') = (signal is not null and signal_args is not null));
create index outbox_workflow_due on outbox (workflow_id, id) where status = 'pending';

-- What became of a prospect where its campaign enrols people: 'enrolled', or why it was not; null: not decided.
alter table site_visits add column enrolment text;

-- Signals are many: what was delivered is kept for a while, for whoever asks what became of something.
create index outbox_delivered on outbox (delivered_at) where status = 'delivered';
grant delete on outbox to throughline_system;

-- Until a table is first analysed, up to a minute after it is first filled, the planner takes an organisation's rows for a 200th of it, and reads
-- all of them to find one by its key: the first list that is enrolled would cost five times as much. It is told otherwise until it knows.
do $$
declare target name;
begin
  for target in
    select relname from pg_attribute join pg_class on pg_class.oid = attrelid
    where attname = 'organisation_id' and relkind = 'r' and relnamespace = 'public'::regnamespace
      and not exists (select from pg_stats where schemaname = 'public' and tablename = relname)
  loop
    perform pg_restore_attribute_stats('schemaname', 'public', 'relname', target::text, 'attname', 'organisation_id',
      'inherited', false, 'null_frac', 0::real, 'avg_width', 16, 'n_distinct', 1::real);
  end loop;
end $$;

-- migrate:down

-- Migrations only go forward: a mistake is mended by the next one.
do $$ begin raise exception 'this migration cannot be undone'; end $$;
