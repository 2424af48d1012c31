import { ec2Refusal, listParameter, type Form } from './ec2-call.ts';
import type { Tag } from './snapshot-record.ts';
import { wildcard } from './wildcard.ts';

/** Gives the values of an item, any of which a filter value may match. */
export type FilterValues<T> = (item: T) => readonly string[];

/** The filters of one action by name. */
export type Filters<T> = ReadonlyMap<string, FilterValues<T>>;

const TAG_PREFIX = 'tag:';

/**
 * Reads `Filter.N.Name` and `Filter.N.Value.M`. An item must pass every filter, by any of its values.
 * @param tagsOf - gives the tags for `tag:KEY`; without it the action has no such filter.
 * @throws {Ec2Refusal} InvalidParameterValue for a name that the action does not have.
 */
export function readFilters<T>(
  form: Form,
  filters: Filters<T>,
  tagsOf?: (item: T) => readonly Tag[],
): (item: T) => boolean {
  const passes: ((item: T) => boolean)[] = [];
  for (let n = 1; ; n += 1) {
    const name = form.get(`Filter.${n}.Name`);
    if (name === undefined) return (item) => passes.every((pass) => pass(item));
    const valuesOf =
      tagsOf !== undefined && name.startsWith(TAG_PREFIX)
        ? tagValues(name.slice(TAG_PREFIX.length), tagsOf)
        : filters.get(name);
    if (valuesOf === undefined) {
      throw ec2Refusal('InvalidParameterValue', `The filter '${name}' is invalid`);
    }
    const patterns = listParameter(form, `Filter.${n}.Value`).map(wildcard);
    passes.push((item) => valuesOf(item).some((value) => patterns.some((fits) => fits(value))));
  }
}

function tagValues<T>(key: string, tagsOf: (item: T) => readonly Tag[]): FilterValues<T> {
  return (item) =>
    tagsOf(item)
      .filter(({ Key }) => Key === key)
      .map(({ Value }) => Value);
}
