/** Patterns of the formats of strings. Each matches only what validators accept; rare spellings are left out. */

const DATE =
  '(?:\\d{4}-(?:(?:0[13578]|1[02])-(?:0[1-9]|[12]\\d|3[01])|(?:0[469]|11)-(?:0[1-9]|[12]\\d|30)|02-(?:0[1-9]|1\\d|2[0-8]))' +
  '|(?:\\d\\d(?:0[48]|[2468][048]|[13579][26])|(?:[02468][048]|[13579][26])00)-02-29)';
const CLOCK = '(?:[01]\\d|2[0-3]):[0-5]\\d';
const TIME = `${CLOCK}:[0-5]\\d(?:\\.\\d{1,9})?(?:Z|[+-]${CLOCK})`;
const COUNT = '\\d{1,4}';
const CLOCK_SPAN = `T(?:${COUNT}H(?:${COUNT}M)?(?:${COUNT}S)?|${COUNT}M(?:${COUNT}S)?|${COUNT}S)`;
const DAY_SPAN = `(?:${COUNT}Y(?:${COUNT}M)?(?:${COUNT}D)?|${COUNT}M(?:${COUNT}D)?|${COUNT}D)`;
const LABEL = '[a-zA-Z0-9](?:[a-zA-Z0-9-]{0,30}[a-zA-Z0-9])?';
const BYTE = '(?:25[0-5]|2[0-4]\\d|1\\d\\d|[1-9]?\\d)';
const IPV4 = `${BYTE}(?:\\.${BYTE}){3}`;
const GROUP = '[0-9a-fA-F]{1,4}';
const IPV6 = [
  `${GROUP}(?::${GROUP}){7}`,
  `::(?:${GROUP}(?::${GROUP}){0,6})?`,
  ...[1, 2, 3, 4, 5, 6].map(
    (before) => `${GROUP}(?::${GROUP}){${before - 1}}::(?:${GROUP}(?::${GROUP}){0,${6 - before}})?`,
  ),
].join('|');
const PATH_CHARACTER = "[a-zA-Z0-9._~!$&'()*+,;=:@-]";

const URI = `[a-z][a-z0-9+.-]{1,9}://${LABEL}(?:\\.${LABEL}){0,4}(?::[1-9]\\d{0,3})?(?:/${PATH_CHARACTER}*)*(?:\\?${PATH_CHARACTER}*)?(?:#${PATH_CHARACTER}*)?`;

/** Formats of OpenAPI that every string has: they tell programs what to do with it. */
export const FREE_FORMATS: ReadonlySet<string> = new Set(['binary', 'password']);

/** Pattern by format; it matches a whole string. */
export const FORMATS: Readonly<Record<string, string>> = {
  date: DATE,
  time: TIME,
  'date-time': `${DATE}T${TIME}`,
  duration: `P(?:${COUNT}W|${DAY_SPAN}(?:${CLOCK_SPAN})?|${CLOCK_SPAN})`,
  email: `[a-zA-Z0-9_+-]{1,32}(?:\\.[a-zA-Z0-9_+-]{1,32}){0,3}@(?:${LABEL}\\.){1,3}[a-zA-Z]{2,12}`,
  hostname: `${LABEL}(?:\\.${LABEL}){0,4}`,
  ipv4: IPV4,
  ipv6: `(?:${IPV6})`,
  uri: URI,
  'uri-reference': `(?:${URI}|/?(?:${PATH_CHARACTER}+/)*${PATH_CHARACTER}+(?:\\?${PATH_CHARACTER}*)?(?:#${PATH_CHARACTER}*)?)`,
  'json-pointer': '(?:/(?:[^~/]|~[01])*)*',
  uuid: '[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}',
};
