import { render } from 'preact';
import type { Report } from '../../../src/tools/report/report.js';
import { ReportPage } from './page.js';
import './report.css';

const data = JSON.parse(document.getElementById('report')!.textContent) as Report;
render(<ReportPage report={data} />, document.body);
