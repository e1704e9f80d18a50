import { expect, test } from 'vitest'
import { cronProblem } from '../../../workflows/rules/cron.ts'

test.each([
  '0 6 * * 1',
  '*/15 8-18/2 * * mon-fri',
  '0 0 29 2 *',
  '0 0 31 1,FEB *',
  '5/20 0 1-7 */3 *',
  '  0  6 * *  7 ',
  '0 6 1-31 * 1',
  '0 6 13 * 0-6',
])('%s is understood', (line) => {
  expect(cronProblem(line)).toBeNull()
})

test.each([
  ['0 0 31 2 *', /never fires/],
  ['0 0 31 4,6,9,11 *', /never fires/],
  ['0 0 30-31 feb *', /never fires/],
  ['0 6 13 * 5', /not both/],
  ['0 6 * *', /five fields/],
  ['0 0 6 * * 1', /five fields/],
  ['@weekly', /five fields/],
  ['', /five fields/],
  ['60 6 * * 1', /minute "60"/],
  ['0 24 * * *', /hour "24"/],
  ['0 6 L * *', /day of the month "L"/],
  ['0 6 ? * 1', /day of the month "\?"/],
  ['0 6 1W * *', /day of the month/],
  ['0 6 * * 1#2', /day of the week/],
  ['0 6 * january *', /month "january"/],
  ['0 6 * * fri-mon', /day of the week "fri-mon"/],
  ['0/0 6 * * *', /minute "0\/0"/],
  ['*/60 6 * * *', /minute "\*\/60"/],
  ['0 6 */99999999999999999999 * *', /day of the month/],
  ['0 6 0 * *', /day of the month "0"/],
  ['*-5 6 * * *', /minute/],
  ['1,,2 6 * * *', /minute/],
])('%s is refused: %s', (line, problem) => {
  expect(cronProblem(line)).toMatch(problem)
})
