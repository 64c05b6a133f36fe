/** Files for `@loretta-ts/nn`: checkpoints, safetensors, and models in folders. Node only. */
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
