import { createRequire } from 'node:module'
import { dirname } from 'node:path'
import { Router } from 'express'
import { found, type ProblemCode, problems } from './problem.ts'

const assets = dirname(createRequire(import.meta.url).resolve('swagger-ui-dist/package.json'))

const page = `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Throughline API</title>
<link rel="stylesheet" href="/docs/swagger-ui.css">
<link rel="icon" type="image/png" href="/docs/favicon-32x32.png">
</head>
<body>
<div id="reference"></div>
<script src="/docs/swagger-ui-bundle.js"></script>
<script src="/docs/start.js"></script>
</body>
</html>
`

// A file of its own, since the content security policy lets no inline script run.
const startScript = `SwaggerUIBundle({
  url: '/openapi.json',
  dom_id: '#reference',
  deepLinking: true,
  defaultModelsExpandDepth: 0,
  displayRequestDuration: true,
  persistAuthorization: true,
})
`

/** The OpenAPI document, a page to read and try it, and one explanation a problem code. */
export function docsRoutes(document: object): Router {
  const router = Router()
  const json = JSON.stringify(document)
  router.get('/openapi.json', (_request, response) => {
    response.type('application/json').send(json)
  })
  router.get('/docs', (_request, response) => {
    response.type('html').send(page)
  })
  router.get('/docs/start.js', (_request, response) => {
    response.type('text/javascript').send(startScript)
  })
  for (const file of ['swagger-ui.css', 'swagger-ui-bundle.js', 'favicon-32x32.png']) {
    router.get(`/docs/${file}`, (_request, response) => {
      response.sendFile(file, { root: assets, maxAge: '1 day' })
    })
  }
  router.get('/problems/:code', (request, response) => {
    const { code } = request.params
    response.json({ code, ...problems[found(isProblemCode(code) ? code : null, 'problem code')] })
  })
  return router
}

function isProblemCode(text: string): text is ProblemCode {
  return Object.hasOwn(problems, text)
}
