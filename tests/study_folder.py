"""A small study as a folder of tables, with exponential curves and known closed forms."""

from __future__ import annotations

from pathlib import Path

TABLES = {
    "settings": """key,value
title,Two strategies
banner,Made-up numbers. | Not for decisions.
currency,USD
cycle_length,1 month
horizon,30 years
discount_rate_costs,3%
discount_rate_outcomes,3%
background_mortality,none
utility_cap,none
reference,old
thresholds,50000; 100000; 150000
psa_samples,60
psa_seed,11
psa_sampler,random
""",
    "parameters": """id,label,value,unit,low,high,distribution,se,source,evidence
price,Price,90000,USD,,,gamma,9000,assumption,assumption
rate,Rate of death,0.4,per year,,,gamma,0.04,assumption,published
hr,Hazard ratio,0.5,HR,0.4,0.7,,,assumption,transported
u,Utility,0.75,utility,,,beta,0.02,assumption,unverified
half,Derived,rate/2,per year,,,,,assumption,derived
""",
    "strategies": "id,label\nold,Old care\nnew,New drug\n",
    "states": "id,label,endpoint\npf,Progression-free,pfs\npd,Progressed,os\ndead,Dead,\n",
    "curves": """id,strategy,endpoint,family,parameters,time_unit,hazard_ratio,use,source
old_pfs,old,pfs,exponential,rate=rate*2,year,,x,assumption
old_os,old,os,exponential,rate=rate,year,,x,assumption
new_pfs,new,pfs,exponential,rate=rate*2,year,hr,x,assumption
new_os,new,os,exponential,rate=half*2,year,hr,x,assumption
new_os_as_old,new,os,exponential,rate=rate,year,,,assumption
""",
    "utilities": "strategy,state,value\nall,pf,u\nall,pd,u\n",
    "costs": """id,label,category,strategy,trigger,state,per,amount
drug,Drug,drug,new,start,,,price
care,Care,care,all,in_state,os,year,1000
""",
    "scenarios": """scenario,purpose,target,value
Free drug,What the price does.,price,0
Dear drug,A rise in price.,price,120000
No gain,Progression only.,curve:new.os.all,new_os_as_old
No discounting,Method.,discount_rate_costs,0%
No discounting,,discount_rate_outcomes,0%
Turned round,Method.,reference,new
Same,Changes nothing.,price,90000
""",
}


def write_study(folder: Path, **changes: str) -> Path:
    """Write the tables; ``changes`` replace or add one (its whole text)."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in {**TABLES, **changes}.items():
        (folder / f"{name}.csv").write_text(text, encoding="utf-8")
    return folder
