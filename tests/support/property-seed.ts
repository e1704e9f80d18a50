import * as fc from 'fast-check'

/** Every run draws the same, so that what fails was broken by what changed. `PROPERTY_SEED=$RANDOM npm test` looks further. */
fc.configureGlobal({ seed: Number(process.env['PROPERTY_SEED'] ?? 1) })
