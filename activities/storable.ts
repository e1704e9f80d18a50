/** A value from outside as it can be stored and shown: its texts without control characters and halves of surrogate pairs. */
export function storable<T extends object>(value: T): T {
  return JSON.parse(JSON.stringify(value), (_key, inner: unknown) =>
    typeof inner === 'string' ? inner.replaceAll(controls, '').toWellFormed() : inner,
  )
}

/** PostgreSQL refuses NUL, and a spreadsheet looks for a formula behind the others. */
// oxlint-disable-next-line no-control-regex -- they are what is looked for
const controls = /[\u0000-\u0008\u000b\u000c\u000e-\u001f\u007f]/g
