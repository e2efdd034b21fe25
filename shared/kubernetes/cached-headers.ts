/**
 * One memory for headers that take time to make.
 *
 * @module
 */
export type Headers = Readonly<Record<string, string>>;

export interface FreshHeaders {
  readonly headers: Headers;
  /** When to make new ones, in milliseconds of the epoch; well before they stop working. */
  readonly renewAt: number;
  /** Until when these still serve where making new ones fails. */
  readonly usableUntil: number;
}

export interface CachedHeaders {
  headers(): Promise<Headers>;
  expireHeaders(): void;
}

/**
 * Remembers the promise, not its result: twenty first calls at once would else refresh twenty times. A failed refresh is not
 * remembered, and is hidden while the last headers still work.
 */
export function cacheHeaders(
  make: () => Promise<FreshHeaders>,
  options: { initial?: FreshHeaders; now?: () => number } = {},
): CachedHeaders {
  const now = options.now ?? Date.now;
  let current = options.initial;
  let refreshing: Promise<FreshHeaders> | undefined;

  const refresh = async (): Promise<FreshHeaders> => {
    refreshing ??= make().finally(() => {
      refreshing = undefined;
    });
    current = await refreshing;
    return current;
  };

  return {
    async headers() {
      if (current !== undefined && now() < current.renewAt) return current.headers;
      const last = current;
      try {
        return (await refresh()).headers;
      } catch (error) {
        if (last !== undefined && now() < last.usableUntil) return last.headers;
        throw error;
      }
    },
    expireHeaders() {
      current = undefined;
    },
  };
}
