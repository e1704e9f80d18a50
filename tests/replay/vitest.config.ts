import { defineConfig } from 'vitest/config'
import config from '../../vitest.config.ts'

export default defineConfig({
  test: { ...config.test, include: ['tests/replay/record*.ts'], exclude: ['tests/replay/recording.ts'] },
})
