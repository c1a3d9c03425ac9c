/** Names between double underscores that Python's types have. The sandbox finds them, but does not let them be used. */

const SEQUENCE = 'add class_getitem contains getitem iter len mul rmul';
const NUMBER =
  'abs add bool ceil divmod float floor floordiv getnewargs int mod mul neg pos pow radd rdivmod rfloordiv rmod rmul round rpow rsub rtruediv sub truediv trunc';
const VIEW = 'and contains iter len or rand reversed ror rsub rxor sub xor';
const FUNCTION = 'call name qualname module';

const BY_TYPE: Readonly<Record<string, string>> = {
  object:
    'class delattr dir doc eq format ge getattribute getstate gt hash init init_subclass le lt ne new reduce reduce_ex repr setattr sizeof str subclasshook',
  str: 'add contains getitem getnewargs iter len mod mul rmod rmul',
  list: `${SEQUENCE} delitem iadd imul reversed setitem`,
  tuple: `${SEQUENCE} getnewargs`,
  dict: 'class_getitem contains delitem getitem ior iter len or reversed ror setitem',
  int: `${NUMBER} and index invert lshift or rand rlshift ror rrshift rshift rxor xor`,
  bool: `${NUMBER} and index invert lshift or rand rlshift ror rrshift rshift rxor xor`,
  float: `${NUMBER} getformat`,
  range: 'bool contains getitem iter len reversed',
  NoneType: 'bool',
  generator: 'del iter name next qualname',
  dict_items: VIEW,
  dict_keys: VIEW,
  dict_values: 'iter len reversed',
  function: `${FUNCTION} annotations builtins closure code defaults dict get globals kwdefaults`,
  builtin_function_or_method: `${FUNCTION} self text_signature`,
};

const NAMES: ReadonlyMap<string, ReadonlySet<string>> = new Map(
  Object.entries(BY_TYPE).map(([type, names]) => [
    type,
    new Set(names.split(' ').map((name) => `__${name}__`)),
  ]),
);

/** Whether objects of a type have this internal attribute. */
export const isInternalAttribute = (type: string, name: string): boolean =>
  name.startsWith('__') && (NAMES.get('object')!.has(name) || NAMES.get(type)?.has(name) === true);
