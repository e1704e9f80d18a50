import { assert, asyncProperty, nat, string } from 'fast-check'
import { expect, test } from 'vitest'
import { storable } from '../../activities/storable.ts'
import { testOrganisation } from '../support/organisation.ts'

const { database, organisationId } = await testOrganisation()

test('what a page says is stored whatever it is, less what no text may hold', async () => {
  const half = 'half of 😀'.slice(0, -1)
  expect(storable({ title: `\u0001NUL\0 and ${half}`, emails: ['\0a@b.example'] })).toEqual({
    title: 'NUL and half of \ufffd',
    emails: ['a@b.example'],
  })
})

test('PostgreSQL takes any text that has been made storable', async () => {
  const anyText = string({ unit: 'binary' }).chain((text) =>
    nat(text.length).map((end) => `${text.slice(0, end)}\0${text}`),
  )
  await database.as(organisationId, (tx) =>
    assert(
      asyncProperty(anyText, async (text) => {
        const [row] = await tx<{ stored: { text: string } }[]>`select ${tx.json(storable({ text }))} as stored`
        expect(row?.stored.text).toBe(
          // oxlint-disable-next-line no-control-regex -- they are what is to be gone
          text.replaceAll(/[\u0000-\u0008\u000b\u000c\u000e-\u001f\u007f]/g, '').toWellFormed(),
        )
      }),
      { numRuns: 200 },
    ),
  )
})
