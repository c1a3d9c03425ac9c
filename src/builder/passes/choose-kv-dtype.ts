import { PRECISION_DTYPE, type KvCacheName } from '../../core/dtype.js';
import type { KvDtype } from '../../plan/kv-dtype.js';
import type { Plan } from '../../plan/plan.js';

const KV_DTYPE: Readonly<Record<KvCacheName, KvDtype>> = { ...PRECISION_DTYPE, int8: 'i8', fp8: 'f8e4m3' };

/** Sets the type of the KV cache; `auto` keeps that of the activations. */
export function chooseKvDtype(plan: Plan, choice: KvCacheName | 'auto'): Plan {
  return choice === 'auto' ? plan : { ...plan, kvDtype: KV_DTYPE[choice] };
}
