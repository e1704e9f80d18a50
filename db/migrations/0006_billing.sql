-- migrate:up

-- What the columns of a burn are held to. A table's checks are parsed and planned anew by each statement that writes to it, which was a fifth of a
-- burn (bench/README.md); a domain's are once in a session. A check remains where columns are held to one another.
create domain ledger_key as text check (length(value) between 1 and 300);
create domain credit_units as bigint check (value >= 0);
create domain credit_grant_units as bigint check (value between 1 and 1000000000000);
create domain credit_movement as bigint check (value <> 0);
create domain credit_priority as smallint check (value between 0 and 100);
create domain credit_source as text check (value in ('plan', 'rollover', 'purchase', 'top_up', 'manual'));
create domain credit_entry_kind as text check (
  value in ('granted', 'burned', 'reserved', 'released', 'expired', 'repaid', 'clawed_back', 'given_back')
);

-- An organisation's balance of one type of credit, in its smallest unit. Balance and debt are caches: the entries are what holds, and a test
-- holds the one to the other. Its row is the ledger's lock.
create table credit_accounts (
  id uuid primary key default uuidv7(),
  organisation_id uuid not null default current_organisation() references organisations,
  type text not null check (type ~ '^[a-z][a-z0-9_]{0,39}$'),
  -- What may be burned: what remains of the grants, less what is owed.
  balance bigint not null default 0 check (abs(balance) <= 9000000000000000),
  -- Taken though nothing was left: more than was reserved, or what a refund takes back. What comes next pays it first.
  owed bigint not null default 0 check (owed between 0 and 9000000000000000),
  -- What low-credit notices are shares of: the balance that the period began with, and what was granted since.
  period_granted bigint not null default 0 check (period_granted between 0 and 9000000000000000),
  period_began_at timestamptz not null,
  -- The lowest share, in per cent, that burning has brought the balance to in this period. A state, not an event: whoever tells of it compares.
  fallen_to smallint not null default 100 check (fallen_to between 0 and 100),
  -- Below this balance more is bought by itself (credit_top_ups), kept here so that a burn need not ask; null: nothing is.
  top_up_below bigint,
  -- The event by which Stripe meters what the balance does not cover, kept here for the same reason; null: that is refused.
  meter text check (length(meter) between 1 and 100),
  -- What was metered since the period began.
  period_metered bigint not null default 0 check (period_metered >= 0),
  -- Whether the story knows that metered uses wait to be reported. Set and taken back in the account's turn.
  is_reporting boolean not null default false,
  created_at timestamptz not null default now()
);
create unique index credit_accounts_type on credit_accounts (organisation_id, type);
call isolate_by_organisation('credit_accounts');
grant select, insert, update on credit_accounts to throughline_app;

-- Credits that came at once, under one rule. What remains is a cache, too.
create table credit_grants (
  id uuid primary key default uuidv7(),
  organisation_id uuid not null default current_organisation() references organisations,
  account_id uuid not null references credit_accounts,
  source_key ledger_key not null,
  source credit_source not null,
  amount credit_grant_units not null,
  remaining credit_units not null,
  -- In an index, what remains would have each burn write to it.
  is_spent boolean not null generated always as (remaining = 0) stored,
  -- The lower is burned first; then what expires first; then what was granted before what was purchased.
  priority credit_priority not null default 50,
  -- From this moment on it is gone.
  expires_at timestamptz,
  -- Of what remains then, this much goes on until rolls_over_until, as a grant that names this one.
  rolls_over credit_units not null default 0,
  rolls_over_until timestamptz,
  rolled_from uuid references credit_grants,
  -- When it was first written down that it has expired. What a reservation gives back later goes the same way.
  expired_at timestamptz,
  -- Gone without having been used, and taken back with its payment: neither can be taken back once more.
  expired credit_units not null default 0,
  clawed_back credit_units not null default 0,
  -- What is to be taken back: more than was, where that had expired before.
  to_claw_back credit_units not null default 0,
  granted_at timestamptz not null,
  created_at timestamptz not null default now(),
  check (
    remaining <= amount and clawed_back <= amount and clawed_back <= to_claw_back
      and (rolls_over = 0 or coalesce(rolls_over_until > expires_at, false))
  )
);
create unique index credit_grants_source on credit_grants (organisation_id, source_key);
create index credit_grants_left on credit_grants (account_id, expires_at) where not is_spent;
create index credit_grants_rolled on credit_grants (rolled_from) where rolled_from is not null;
call isolate_by_organisation('credit_grants');
grant select, insert, update on credit_grants to throughline_app;

-- Credits that are set aside for an act under way.
create table credit_reservations (
  id uuid primary key default uuidv7(),
  organisation_id uuid not null default current_organisation(),
  account_id uuid not null references credit_accounts,
  act_key text not null check (length(act_key) between 1 and 255),
  amount bigint not null check (amount > 0),
  status text not null default 'reserved' check (status in ('reserved', 'settled', 'released', 'expired')),
  -- What the act took in the end.
  settled bigint check (settled >= 0),
  expires_at timestamptz not null,
  ended_at timestamptz,
  created_at timestamptz not null default now(),
  check ((status = 'reserved') = (ended_at is null)),
  check ((status = 'settled') = (settled is not null))
);
create unique index credit_reservations_act on credit_reservations (organisation_id, act_key);
create index credit_reservations_open on credit_reservations (account_id, expires_at) where status = 'reserved';
call isolate_by_organisation('credit_reservations');
grant select, insert, update on credit_reservations to throughline_app;

-- The ledger: what came and went, by which act. Nothing is edited, and a balance is their sum. An act that takes from several grants makes
-- an entry for each; without a grant it is a debt or its payment.
create table credit_entries (
  id uuid primary key default uuidv7(),
  -- The account's, without a reference of its own: every burn of an organisation would lock the one row.
  organisation_id uuid not null default current_organisation(),
  account_id uuid not null references credit_accounts,
  grant_id uuid references credit_grants,
  kind credit_entry_kind not null,
  amount credit_movement not null,
  source_key ledger_key not null,
  at timestamptz not null,
  created_at timestamptz not null default now()
);
create unique index credit_entries_source on credit_entries (organisation_id, source_key, kind, grant_id) nulls not distinct;
create index credit_entries_newest on credit_entries (account_id, id desc);
create index credit_entries_taken on credit_entries (account_id) where kind in ('repaid', 'clawed_back', 'given_back');
call isolate_by_organisation('credit_entries');
grant select, insert on credit_entries to throughline_app;

-- What was reported as used, under a key of the user's, and what was answered. What credits did not cover was metered: paid with the next invoice.
create table usage (
  organisation_id uuid not null default current_organisation(),
  key ledger_key not null,
  account_id uuid not null references credit_accounts,
  amount credit_grant_units not null,
  -- The balance that it left.
  balance bigint not null,
  metered credit_units not null default 0,
  -- The event by which Stripe is told of it.
  meter text,
  -- Stripe knows an event again by its identifier for a day after it first had it.
  first_tried_at timestamptz,
  reported_at timestamptz,
  -- Why it is not reported by itself any more: `unconfirmed`, or what Stripe refused it with, a code of ours. Somebody has to decide.
  problem text,
  at timestamptz not null,
  created_at timestamptz not null default now(),
  primary key (organisation_id, key),
  check (
    metered <= amount and (metered > 0) = (meter is not null) and (reported_at is null or (metered > 0 and problem is null))
  )
);
create index usage_unreported on usage (organisation_id, at, key) where metered > 0 and reported_at is null;
call isolate_by_organisation('usage');
grant select, insert, update on usage to throughline_app;

-- Whether something of an account has expired by then and is not written down yet.
create function credits_are_due(account uuid, moment timestamptz) returns boolean language sql stable as $$
  select exists (select from credit_grants where account_id = account and not is_spent and expires_at <= moment)
    or exists (select from credit_reservations where account_id = account and status = 'reserved' and expires_at <= moment)
$$;

-- The one way in which credits leave a balance: from the grants in their order, all or nothing, or on credit. `is`: taken, or short, or due, when
-- something has to be written down as expired first (db/credit-expiry.ts). `crossed`: a share of the period is reached, or the threshold of a top-up
-- is passed. A function, since each of its statements sees what was committed while it waited for its turn, and a hot balance is not kept waiting
-- for a network between them.
create function take_credits(
  of_type text, wanted bigint, entry_kind text, entry_key text, moment timestamptz, on_credit boolean, shares int[], paying_first uuid,
  out "is" text, out account_id uuid, out balance bigint, out crossed boolean
) language plpgsql as $$
declare
  account credit_accounts;
  part record;
  open bigint := wanted;
  by_others bigint := 0;
begin
  if wanted <= 0 then raise exception 'credits are taken by whole units'; end if;
  select * into account from credit_accounts where type = of_type for no key update;
  account_id := account.id;
  balance := coalesce(account.balance, 0);
  "is" := 'short';
  crossed := false;
  if account.id is null then return; end if;
  if credits_are_due(account.id, moment) then
    "is" := 'due';
    return;
  end if;
  -- What nothing is owed on is what the grants have.
  if account.balance < wanted and not on_credit then return; end if;

  for part in
    select id, remaining as amount, paying_first is not null and coalesce(rolled_from, id) <> paying_first as is_other
    from credit_grants where credit_grants.account_id = account.id and not is_spent
    -- What is taken back comes to the same whether it is heard of before or after a later grant, since that one pays last, or what is owed.
    order by coalesce(rolled_from, id) is not distinct from paying_first desc, case when paying_first is not null then granted_at end,
      priority, expires_at nulls last, source in ('purchase', 'top_up'), granted_at, id
  loop
    part.amount := least(part.amount, open);
    update credit_grants set remaining = remaining - part.amount where id = part.id;
    insert into credit_entries (account_id, grant_id, kind, amount, source_key, at)
      values (account.id, part.id, case when part.is_other then 'repaid' else entry_kind end, -part.amount, entry_key, moment);
    open := open - part.amount;
    if part.is_other then by_others := by_others + part.amount; end if;
    exit when open = 0;
  end loop;
  if open + by_others > 0 then
    insert into credit_entries (account_id, kind, amount, source_key, at)
      values (account.id, entry_kind, -(open + by_others), entry_key, moment);
  end if;
  -- What others pay of what is taken back was owed, if only for this moment: what pays it now or later is told alike.
  if by_others > 0 then
    insert into credit_entries (account_id, kind, amount, source_key, at)
      values (account.id, 'repaid', by_others, entry_key, moment);
  end if;
  balance := account.balance - wanted;
  update credit_accounts set balance = account.balance - wanted, owed = owed + open,
    fallen_to = least(fallen_to, (
      select min(share) from unnest(shares) as share
      where period_granted > 0 and (account.balance - wanted) * 100 <= share * period_granted
    ))
    where id = account.id
    returning new.fallen_to < old.fallen_to
      or coalesce(old.balance >= old.top_up_below and new.balance < new.top_up_below, false)
    into crossed;
  "is" := 'taken';
end $$;

-- Burns what was used, once under its key, and meters what the balance does not cover where the type is metered. `is`, besides what take_credits
-- says: known, told before, with what was told then; other, the key is another use's; again, when somebody else has told of it in this very
-- moment. `crossed`, too: the story has to be told that something waits to be reported.
create function use_credits(
  use_key text, of_type text, wanted bigint, moment timestamptz, shares int[],
  out "is" text, out balance bigint, out metered bigint, out crossed boolean
) language plpgsql as $$
declare
  known record;
  taken record;
  account credit_accounts;
begin
  select credit_accounts.type, usage.amount, usage.balance, usage.metered into known
    from usage join credit_accounts on credit_accounts.id = account_id where key = use_key;
  if found then
    "is" := case when known.type = of_type and known.amount = wanted then 'known' else 'other' end;
    balance := known.balance;
    metered := known.metered;
    crossed := false;
    return;
  end if;
  select * into taken from take_credits(of_type, wanted, 'burned', 'usage/' || use_key, moment, false, shares, null);
  "is" := taken."is";
  balance := taken.balance;
  metered := 0;
  crossed := taken.crossed;
  if "is" = 'short' then
    -- The account is in our turn by now: what it covers, and whether it is metered, stays so.
    select * into account from credit_accounts where id = taken.account_id;
    if account.meter is null then return; end if;
    metered := wanted - greatest(account.balance, 0);
    if metered < wanted then
      select * into taken
        from take_credits(of_type, wanted - metered, 'burned', 'usage/' || use_key, moment, false, shares, null);
    end if;
    "is" := 'taken';
    balance := taken.balance;
    update credit_accounts set is_reporting = true, period_metered = period_metered + metered where id = account.id
      returning taken.crossed or not old.is_reporting into crossed;
  end if;
  if "is" <> 'taken' then return; end if;
  insert into usage (key, account_id, amount, balance, metered, meter, at)
    values (use_key, taken.account_id, wanted, balance, metered, case when metered > 0 then account.meter end, moment)
    on conflict (organisation_id, key) do nothing;
  -- What was burned for it has to be given up with the transaction.
  if not found then "is" := 'again'; end if;
end $$;
grant execute on function credits_are_due, take_credits, use_credits to throughline_app;

-- What can be bought: one catalogue for all organisations, which all read and the platform alone writes.
create table plans (
  organisation_id uuid not null default current_organisation() references organisations,
  key text primary key check (key ~ '^[a-z][a-z0-9-]{0,62}$'),
  -- Both stay: a subscription takes the place of those of its family.
  kind text not null check (kind in ('subscription', 'credit_pack', 'one_time')),
  family text not null,
  -- The newest, which is bought.
  version integer not null default 1 check (version > 0),
  -- Nobody buys it from then on; who has it keeps it.
  retired_at timestamptz,
  created_at timestamptz not null,
  updated_at timestamptz not null
);
call isolate_by_organisation('plans');
grant select, insert, update on plans to throughline_app;

-- A subscription remembers by which version it was bought.
create table plan_versions (
  organisation_id uuid not null default current_organisation() references organisations,
  plan_key text not null references plans,
  version integer not null check (version > 0),
  definition jsonb not null,
  actor text not null,
  created_at timestamptz not null,
  primary key (plan_key, version)
);
call isolate_by_organisation('plan_versions');
grant select, insert on plan_versions to throughline_app;

do $$
declare target text;
begin
  foreach target in array array['plans', 'plan_versions'] loop
    execute format('create policy everybody_reads on %I for select to throughline_app using (true)', target);
    execute format('create policy platform_writes on %I as restrictive for insert to throughline_app
      with check (exists (select from organisations where id = organisation_id and is_platform))', target);
  end loop;
end $$;

-- Which customer of the platform's Stripe account an organisation is.
create table stripe_customers (
  organisation_id uuid primary key default current_organisation() references organisations,
  stripe_id text not null unique check (length(stripe_id) between 1 and 255),
  -- Whom the notices go to: a contact of the platform's organisation, and of which address it was last known.
  contact_id uuid,
  email_hash bytea,
  created_at timestamptz not null
);
call isolate_by_organisation('stripe_customers');
call open_to_system('stripe_customers');
grant select, insert, update on stripe_customers to throughline_app;
grant select on stripe_customers to throughline_system;

-- Payments as Stripe names them, intents and charges: what tells of a refund or a dispute names no customer.
create table stripe_payments (
  stripe_id text primary key check (length(stripe_id) between 1 and 255),
  organisation_id uuid not null default current_organisation() references organisations,
  created_at timestamptz not null default now()
);
call isolate_by_organisation('stripe_payments');
call open_to_system('stripe_payments');
grant select, insert on stripe_payments to throughline_app;
grant select on stripe_payments to throughline_system;

-- How it stands with an organisation, as it was last seen and decided: a read model, made anew each time.
create table billing_states (
  organisation_id uuid primary key default current_organisation() references organisations,
  -- What Stripe had, reduced to what decides, and what else is shown of it.
  facts jsonb not null,
  shown jsonb not null,
  access text not null check (access in ('full', 'reduced', 'none')),
  is_frozen boolean not null,
  -- What is to come, the earliest first: key, at (ms since the epoch), what, isMovable.
  timers jsonb not null,
  seen_at timestamptz not null
);
call isolate_by_organisation('billing_states');
grant select, insert, update on billing_states to throughline_app;

-- Subscriptions at Stripe, each with the versions of the plans by which it was bought.
create table subscriptions (
  id uuid primary key default uuidv7(),
  organisation_id uuid not null default current_organisation() references organisations,
  stripe_id text not null unique check (length(stripe_id) between 1 and 255),
  stripe_status text not null check (stripe_status in
    ('incomplete', 'incomplete_expired', 'trialing', 'active', 'past_due', 'canceled', 'unpaid', 'paused')),
  state text not null check (state in ('trialing', 'active', 'past_due', 'grace', 'suspended', 'ended')),
  access text not null check (access in ('full', 'reduced', 'none')),
  -- By plan key.
  plan_versions jsonb not null,
  overdue_since timestamptz,
  created_at timestamptz not null
);
create index subscriptions_of on subscriptions (organisation_id);
call isolate_by_organisation('subscriptions');
grant select, insert, update on subscriptions to throughline_app;

-- What an organisation may do until it is decided anew. Without a row nothing limits it: nobody has sold it anything yet.
create table entitlements (
  organisation_id uuid primary key default current_organisation() references organisations,
  access text not null check (access in ('full', 'reduced', 'none')),
  features text[] not null,
  -- Of each: act, most, per, and for `period` the month of it that runs, from and until.
  limits jsonb not null,
  updated_at timestamptz not null
);
call isolate_by_organisation('entitlements');
grant select, insert, update, delete on entitlements to throughline_app;

-- How much of a limit is used, in the window that begins then, where there is a limit: to count messages or contacts each time would be to read
-- a million of them. Kept in the transaction that claims or makes them, which is how two at once are told from one.
create table limit_counts (
  organisation_id uuid not null default current_organisation() references organisations,
  act text not null check (act in ('messages', 'contacts')),
  per text not null check (per in ('period', 'day', 'total')),
  begins_at timestamptz not null,
  ends_at timestamptz not null,
  used bigint not null check (used >= 0),
  primary key (organisation_id, act, per, begins_at)
);
call isolate_by_organisation('limit_counts');
grant select, insert, update, delete on limit_counts to throughline_app;

-- Invoices that are overdue, and how asking for them ended.
create table dunning_cases (
  id uuid primary key default uuidv7(),
  organisation_id uuid not null default current_organisation() references organisations,
  invoice_id text not null unique check (length(invoice_id) between 1 and 255),
  stripe_subscription_id text not null,
  status text not null check (status in ('open', 'frozen', 'recovered', 'exhausted')),
  opened_at timestamptz not null,
  closed_at timestamptz,
  created_at timestamptz not null default now()
);
create index dunning_cases_of on dunning_cases (organisation_id) where closed_at is null;
call isolate_by_organisation('dunning_cases');
grant select, insert, update on dunning_cases to throughline_app;

-- What the story does, once each: claimed before, recorded after.
create table billing_acts (
  organisation_id uuid not null default current_organisation() references organisations,
  act_key text not null check (length(act_key) between 1 and 500),
  -- As it was decided: ids and amounts.
  act jsonb not null,
  status text not null check (status in ('doing', 'done', 'failed')),
  -- Why it failed, or what was not done: a code of ours.
  outcome text,
  -- A provider that keeps its own failures under a key is asked under the next.
  attempt integer not null default 1 check (attempt > 0),
  begun_at timestamptz not null,
  ended_at timestamptz,
  primary key (organisation_id, act_key),
  check ((status = 'doing') = (ended_at is null))
);
call isolate_by_organisation('billing_acts');
grant select, insert, update on billing_acts to throughline_app;

-- What a person has asked the story to do. A change of plan may wait for its time; of those there is one at a time.
create table billing_requests (
  id uuid primary key default uuidv7(),
  organisation_id uuid not null default current_organisation() references organisations,
  kind text not null check (kind in
    ('change_plan', 'undo_change', 'cancel', 'undo_cancel', 'pay_now', 'refund', 'move_timer', 'switch_on', 'switch_off')),
  -- The whole of it (workflows/contracts/billing-requests.ts).
  request jsonb not null,
  status text not null default 'requested' check (status in ('requested', 'waiting', 'done', 'refused', 'withdrawn')),
  -- Of a refusal, a code of ours.
  reason text,
  -- And the provider's, where a charge was declined.
  decline_code text,
  -- Since when what waits is to be done.
  due_at timestamptz,
  attempt integer not null default 1 check (attempt > 0),
  -- Of the HTTP request that asked for it, where that can be repeated.
  request_key text check (length(request_key) between 1 and 100),
  actor text not null,
  created_at timestamptz not null,
  ended_at timestamptz,
  check ((status in ('requested', 'waiting')) = (ended_at is null)),
  check ((status = 'waiting') <= (due_at is not null))
);
create unique index billing_requests_one_change on billing_requests (organisation_id)
  where kind = 'change_plan' and status in ('requested', 'waiting');
-- A refusal leaves the key free for another try.
create unique index billing_requests_key on billing_requests (organisation_id, request_key) where status <> 'refused';
create index billing_requests_of on billing_requests (organisation_id, id desc);
call isolate_by_organisation('billing_requests');
grant select, insert, update on billing_requests to throughline_app;

-- What an operator has switched for an organisation, with the reason; undone, the row stays.
create table billing_switches (
  id uuid primary key default uuidv7(),
  organisation_id uuid not null default current_organisation() references organisations,
  name text not null check (name in ('noAutomaticCharge', 'noDunning', 'keepEntitlements')),
  reason text not null,
  author text not null,
  on_at timestamptz not null,
  off_at timestamptz
);
create unique index billing_switches_on on billing_switches (organisation_id, name) where off_at is null;
call isolate_by_organisation('billing_switches');
grant select, insert, update on billing_switches to throughline_app;

-- To when an operator has moved what is to come.
create table billing_moved_timers (
  organisation_id uuid not null default current_organisation() references organisations,
  timer_key text not null check (length(timer_key) between 1 and 500),
  moved_to timestamptz not null,
  author text not null,
  moved_at timestamptz not null,
  primary key (organisation_id, timer_key)
);
call isolate_by_organisation('billing_moved_timers');
grant select, insert, update on billing_moved_timers to throughline_app;

-- The timeline: what happened, once each, without people in it.
create table billing_events (
  id uuid primary key default uuidv7(),
  organisation_id uuid not null default current_organisation() references organisations,
  source_key text not null check (length(source_key) between 1 and 500),
  type text not null check (length(type) between 1 and 100),
  details jsonb not null,
  at timestamptz not null,
  created_at timestamptz not null default now()
);
create unique index billing_events_source on billing_events (organisation_id, source_key);
create index billing_events_newest on billing_events (organisation_id, at desc, id desc);
call isolate_by_organisation('billing_events');
grant select, insert on billing_events to throughline_app;

-- Whom an event is about that concerns nobody whom we know: ids as the provider names customers and payments. Known later, it is found by them.
alter table inbound_events add column about text[] not null default '{}';
create index inbound_events_about on inbound_events using gin (about) where status = 'unmatched';
create index inbound_events_unmatched on inbound_events (id desc) where status = 'unmatched';
-- What belongs to nobody is for the platform alone to see.
create policy platform_reads_unmatched on inbound_events for select to throughline_app using (
  organisation_id is null and status = 'unmatched'
  and (select is_platform from organisations where id = current_organisation())
);

-- Comparisons of all that we know with all that Stripe has, by the platform.
create table billing_reconciliations (
  id uuid primary key default uuidv7(),
  organisation_id uuid not null default current_organisation() references organisations,
  -- The run of the story.
  begun_by text not null unique,
  status text not null default 'running' check (status in ('running', 'completed', 'failed')),
  -- Why it failed: a code of ours.
  problem text,
  -- How far it is: among our customers by organisation, then among Stripe's subscribers by its own cursor.
  stage text not null default 'customers' check (stage in ('customers', 'subscribers', 'done')),
  after text,
  customers integer not null default 0,
  -- Found in it, once it has ended.
  differences integer,
  unknown_customers integer,
  began_at timestamptz not null,
  ended_at timestamptz,
  check ((status = 'running') = (ended_at is null)),
  check ((status = 'failed') = (problem is not null)),
  check ((ended_at is null) = (differences is null) and (ended_at is null) = (unknown_customers is null))
);
create index billing_reconciliations_newest on billing_reconciliations (organisation_id, id desc);
call isolate_by_organisation('billing_reconciliations');
grant select, insert, update on billing_reconciliations to throughline_app;

-- Customers of whom Stripe has something else than we have seen, each once until that is over; without an organisation, those whom we do not know.
create table billing_differences (
  id uuid primary key default uuidv7(),
  organisation_id uuid not null default current_organisation() references organisations,
  -- The last that has found it.
  reconciliation_id uuid not null references billing_reconciliations,
  stripe_customer_id text not null check (length(stripe_customer_id) between 1 and 255),
  about_organisation_id uuid references organisations,
  -- The facts that differ (workflows/contracts/subscriptions.ts), or one word for all of them: `unknown_customer`, `unreadable`.
  what text[] not null check (cardinality(what) > 0),
  seen_at timestamptz not null,
  last_seen_at timestamptz not null,
  -- Since when it is known to be over.
  repaired_at timestamptz
);
create unique index billing_differences_open on billing_differences (stripe_customer_id) where repaired_at is null;
create index billing_differences_found on billing_differences (reconciliation_id);
create index billing_differences_newest on billing_differences (organisation_id, id desc);
call isolate_by_organisation('billing_differences');
call open_to_system('billing_differences');
call open_to_system('billing_states');
grant select, insert, update on billing_differences to throughline_app;
grant select, update on billing_differences to throughline_system;
grant select on billing_states to throughline_system;
-- What is bought by itself when credits of a type run low.
create table credit_top_ups (
  organisation_id uuid not null default current_organisation() references organisations,
  type text not null check (type ~ '^[a-z][a-z0-9_]{0,39}$'),
  plan_key text not null,
  price_key text not null,
  quantity integer not null check (quantity > 0),
  -- Below this balance.
  threshold bigint not null check (threshold > 0),
  -- ISO 8601: between two attempts.
  cool_down text not null,
  -- Attempts in a calendar month (UTC), so that nobody's credits run away with money without a bound.
  most_per_month integer not null check (most_per_month > 0),
  enabled boolean not null,
  actor text not null,
  updated_at timestamptz not null,
  primary key (organisation_id, type)
);
call isolate_by_organisation('credit_top_ups');
grant select, insert, update on credit_top_ups to throughline_app;

-- Notices that have not gone, or may have: found by the organisation in their key, whoever's they are. None of the messages of sequences is in it.
create index messages_open_notices on messages (act_key collate "C")
  where enrolment_id is null and status in ('planned', 'sending', 'unconfirmed');

-- migrate:down

-- Migrations only go forward: a mistake is mended by the next one.
do $$ begin raise exception 'this migration cannot be undone'; end $$;
