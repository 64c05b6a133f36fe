/**
 * Files for `@loretta-ts/nn`: checkpoints, safetensors, and models in folders. Node only.
 * @module @loretta-ts/nn/node
 */
export {
  loadCheckpoint,
  loadSafetensors,
  readCheckpointMetadata,
  readSafetensorsHeader,
  saveCheckpoint,
  saveSafetensors,
  writeFileAtomic,
} from './node/files';
export { loadHfFolder, loadHfTensors, loadLlama2c } from './node/models';
