/** The members of T, each with a value or left out. */
type Present<T> = { [Key in keyof T]?: Exclude<T[Key], null | undefined> };

/** The object without its members that are null or undefined. */
export function present<T extends object>(members: T): Present<T> {
  return Object.fromEntries(
    Object.entries(members).filter(([, value]) => value !== null && value !== undefined),
  ) as Present<T>;
}
