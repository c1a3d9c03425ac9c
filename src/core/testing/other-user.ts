/** Runs as a user who owns nothing; root, who may read everything, becomes nobody for the time. */
export function asOther<Result>(run: () => Result): Result {
  if (process.getuid!() !== 0) return run();
  process.seteuid!(65534);
  try {
    return run();
  } finally {
    process.seteuid!(0);
  }
}
