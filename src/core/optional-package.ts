/**
 * Loads a package that is an optional peer of this one.
 * @param load imports the package by its name
 * @returns undefined where it is not installed
 */
export async function optionalPackage<Module>(load: () => Promise<Module>): Promise<Module | undefined> {
  try {
    return await load();
  } catch (fault) {
    if (isMissingPackage(fault)) return undefined;
    throw fault;
  }
}

/** Whether an import failed because a package is not installed; a missing file of this one is a fault. */
function isMissingPackage(fault: unknown): boolean {
  return (
    fault instanceof Error &&
    'code' in fault &&
    fault.code === 'ERR_MODULE_NOT_FOUND' &&
    fault.message.startsWith('Cannot find package')
  );
}
