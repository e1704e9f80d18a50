import { fileURLToPath } from 'node:url'
import { bundleWorkflowCode } from '@temporalio/worker'

// Prints all stories as the one script that workers run.
const { code } = await bundleWorkflowCode({
  workflowsPath: fileURLToPath(new URL('../workflows/index.ts', import.meta.url)),
})
process.stdout.write(code)
