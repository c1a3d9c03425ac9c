/** Chooses from the faults of a value the one that helps: where a member has several forms, that of the form that was meant. */

/** As the validator reports it. */
export interface Fault {
  readonly keyword: string;
  /** `/0/text` for the member `text` of the first item. */
  readonly instancePath: string;
  /** `#/anyOf/1/items` for the items of the second form. */
  readonly schemaPath: string;
  readonly message: string;
}

/** Place of a form among its alternatives in a path of the schema. */
const FORM = /^(.*?\/anyOf)\/(\d+)/;

/** The first fault; if it is one of several forms, the first of the form that fits best. Undefined without faults. */
export function firstFault(faults: readonly Fault[]): Pick<Fault, 'instancePath' | 'message'> | undefined {
  const [first] = faults;
  const forms = first && FORM.exec(first.schemaPath)?.[1];
  if (first === undefined || forms === undefined) return first;
  const end = faults.findIndex(
    ({ keyword, schemaPath }) => keyword === 'anyOf' && `${schemaPath}/anyOf` === forms,
  );
  const ofForms = faults.slice(0, end < 0 ? undefined : end);
  const lists = [...byForm(ofForms).values()];
  const root = ofForms.map(({ instancePath }) => instancePath).toSorted((a, b) => a.length - b.length)[0]!;
  // A form may have forms itself, so it is of the value's type when anything but types is wrong with one of them.
  const isAtRoot = ({ instancePath }: Fault) => instancePath === root;
  const isOfType = (list: readonly Fault[]) =>
    list.some((fault) => !isAtRoot(fault) || (fault.keyword !== 'type' && fault.keyword !== 'anyOf'));
  const [meant] = lists.filter(isOfType).toSorted((a, b) => rank(a) - rank(b));
  if (meant !== undefined) return firstFault(meant.map((fault) => within(fault, forms)));
  const ofTypes = ofForms.filter((fault) => isAtRoot(fault) && fault.keyword === 'type');
  const types = new Set(ofTypes.map(({ message }) => message.replace(/^must be /, '')));
  return { instancePath: root, message: `must be ${[...types].join(' or ')}` };
}

/** The form with the fewest faults was meant; of two, that whose fault is more than another type. */
function rank(faults: readonly Fault[]): number {
  return faults.length + (faults[0]!.keyword === 'type' ? 0.5 : 0);
}

function byForm(faults: readonly Fault[]): ReadonlyMap<string, Fault[]> {
  const forms = new Map<string, Fault[]>();
  for (const fault of faults) {
    const form = FORM.exec(fault.schemaPath)?.[2] ?? '';
    const list = forms.get(form);
    if (list === undefined) forms.set(form, [fault]);
    else list.push(fault);
  }
  return forms;
}

/** The fault with its place in the schema from its form on, which may have forms itself. */
function within(fault: Fault, forms: string): Fault {
  return { ...fault, schemaPath: fault.schemaPath.slice(forms.length).replace(/^\/\d+/, '#') };
}
