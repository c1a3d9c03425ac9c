/** A hub, and the cache of what was downloaded from it. */
export interface HubSettings {
  /** Address without a slash at its end, such as `https://huggingface.co`. */
  readonly endpoint: string;
  readonly token: string | undefined;
  /** Folder of the cache, in the layout of Hugging Face's Python client. */
  readonly cacheDirectory: string;
  /** Only what is in the cache may be used. */
  readonly isOffline: boolean;
  /** Longest silence of the hub. */
  readonly timeoutMs: number;
  /** Time before the first repetition of a request that failed; it doubles with each further one. */
  readonly retryDelayMs: number;
}
