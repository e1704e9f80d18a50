import type { Channel, Purpose } from './sending.ts'

/** What a sequence does with everyone who enters it. Steps run from the first on; `next` goes forward only, so every journey ends. */
export interface SequenceDefinition {
  purpose: Purpose
  /** From whom its messages go out. */
  senderId: string
  /** Whether somebody who was through it may enter again; never while under way. */
  entry: 'once' | 'again'
  /** What ends a journey early, wherever it stands. An opt-out always does. */
  exitOn: ExitTrigger[]
  /** The event by which a person has done what the sequence is for; it ends the journey. */
  goal: string | null
  steps: Step[]
}

export const exitTriggers = ['reply', 'bounce', 'goal'] as const
export type ExitTrigger = (typeof exitTriggers)[number]

/** Why a journey ended before its last step. */
/** Why somebody stays where they are until a person, or another policy, lets them go on. */
export const heldReasons = ['missing_variable', 'no_common_window', 'internal_error', 'workflow_cancelled'] as const
export type HeldReason = (typeof heldReasons)[number]

export type ExitReason = ExitTrigger | 'opt_out' | 'complaint' | 'manual' | 'exit_step' | 'sequence_archived'

export type Step = MessageStep | WaitStep | BranchStep | ExitStep

interface StepBase {
  /** Names the step for ever, across versions. */
  key: string
  /** The key of a later step, or 'end'; where there is none, the one that stands behind it. */
  next?: string | undefined
}

export interface MessageStep extends StepBase {
  type: 'message'
  channel: Channel & 'email'
  /** Liquid templates over `contact`, `sender` and `unsubscribeUrl` (workflows/rules/templates.ts); every variable must be known. */
  subject: string
  text: string
  html?: string | undefined
  /** How long after the step was come to it is no longer worth sending; ISO 8601. */
  expiresAfter?: string | undefined
}

export interface WaitStep extends StepBase {
  type: 'wait'
  /** Exactly one of the three. */
  for?: string | undefined
  until?: LocalMoment | undefined
  event?: EventWait | undefined
}

/** The first such time after the step was come to, in the person's zone; a day or a time of day, or both. */
export interface LocalMoment {
  /** 1 Monday to 7 Sunday, ISO 8601. */
  weekdays?: number[] | undefined
  /** HH:MM; midnight where there is none. */
  at?: string | undefined
}

/** Ends with the first of these events since the journey began; one that has happened already is no wait. */
export interface EventWait {
  firstOf: { type: string; next?: string | undefined }[]
  /** ISO 8601; without it the wait has no end of its own. */
  timeout?: string | undefined
  /** Where it goes on after that; else behind the step. */
  onTimeout?: string | undefined
}

export interface BranchStep {
  key: string
  type: 'branch'
  /** The first that holds decides. */
  arms: { when: PersonCondition[]; next: string }[]
  /** Where it goes on when none holds. */
  else: string
}

interface ExitStep {
  key: string
  type: 'exit'
}

/** What must be known of a person. It never holds of what is not known. All conditions of an arm must hold. */
export type PersonCondition =
  | { property: string; exists: boolean }
  | { property: string; is: string | number | boolean }
  | { property: string; in: (string | number)[] }
  | { property: string; atLeast?: number | undefined; atMost?: number | undefined }
  /** Since the journey began. */
  | { event: string; happened: boolean }

export const sequenceStatuses = ['draft', 'live', 'paused', 'archived'] as const
export type SequenceStatus = (typeof sequenceStatuses)[number]

/** The terminal ones last. Paused and held keep the place. */
export const enrolmentStatuses = ['active', 'paused', 'held', 'completed', 'exited'] as const
export type EnrolmentStatus = (typeof enrolmentStatuses)[number]

/** Where `next` means the end of the sequence. */
export const endOfSequence = 'end'

/** As many as a definition may have. */
export const mostSteps = 100
/** As JSON in UTF-8. Every worker that carries people by it keeps it in memory. */
export const mostDefinitionBytes = 512_000
/** As many as one request may enrol. */
export const mostEnrolments = 5_000
export const cohortSize = 500
