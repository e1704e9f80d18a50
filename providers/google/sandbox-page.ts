import type { SandboxSpreadsheet, Value } from './sandbox-spreadsheets.ts'

/** The spreadsheet as a page to look at. */
export function sheetPage({ name, tab, permissions }: SandboxSpreadsheet): Response {
  const [header = [], ...rows] = tab.rows
  const cell = (value: Value, column: number) =>
    `<td${tab.colouredColumns.includes(column) ? ` style="background:${colourOf(value)}"` : ''}>${escaped(value)}</td>`
  const shared = permissions.map(({ emailAddress, role }) => `${escaped(emailAddress)} (${escaped(role)})`).join(', ')
  const html = `<!doctype html>
<html lang="en"><meta charset="utf-8"><title>${escaped(name)}</title>
<style>
body { font: 14px system-ui, sans-serif; margin: 1rem }
table { border-collapse: collapse }
td, th { border: 1px solid #ddd; padding: 2px 6px; text-align: left; max-width: 24rem; overflow: hidden; text-overflow: ellipsis; white-space: nowrap }
th { position: sticky; top: 0; background: #eee }
</style>
<h1>${escaped(name)}</h1>
<p>${escaped(tab.title)}: ${rows.length} rows. Shared with ${shared}. This is the sandbox's picture of a Google spreadsheet.</p>
<table>
<thead><tr>${header.map((title) => `<th>${escaped(title)}</th>`).join('')}</tr></thead>
<tbody>
${rows.map((row) => `<tr>${row.map(cell).join('')}</tr>`).join('\n')}
</tbody>
</table>
</html>
`
  return new Response(html, {
    headers: {
      'content-type': 'text/html; charset=utf-8',
      'content-security-policy': "default-src 'none'; style-src 'unsafe-inline'",
    },
  })
}

/** From white over yellow to green, as the sheet's own rule has it. */
function colourOf(value: Value): string {
  if (typeof value !== 'number') return 'none'
  const share = Math.min(100, Math.max(0, value))
  return share < 50 ? `hsl(45 100% ${100 - (18 * share) / 50}%)` : `hsl(${45 + (85 * (share - 50)) / 50} 60% 75%)`
}

function escaped(value: Value | undefined): string {
  return String(value ?? '').replace(/[&<>"']/g, (sign) => `&#${sign.charCodeAt(0)};`)
}
