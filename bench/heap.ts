// Reads the heap's size after a full collection, so that two readings differ by what is really kept.
import v8 from 'node:v8'
import { runInNewContext } from 'node:vm'

v8.setFlagsFromString('--expose-gc')
const collect = runInNewContext('gc') as () => void

/** Bytes in use after a full collection. */
export function keptBytes(): number {
  collect()
  collect()
  return usedBytes()
}

/** Bytes in use now, garbage too: the growth over calls is what they allocate, if no collection came between. */
export const usedBytes = (): number => v8.getHeapStatistics().used_heap_size

export { collect }
