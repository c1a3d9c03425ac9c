/** For tests: a rank other than 0 of a job over several hosts. */
import { followJob } from '../../run/ranks/job.js';
import { joinHosts } from '../../run/ranks/hosts/join-hosts.js';
import { jobPlace } from '../../tools/cli/job-place.js';

const place = jobPlace(process.env)!;
const leave = await joinHosts(place);
if (!(await followJob(place))) process.exit(1);
await leave();
